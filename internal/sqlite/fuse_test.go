//go:build amd64 || arm64 || riscv64

// The library that serves the file system does not compile for machines of 32
// bits.

package sqlite

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien"
)

// A nor is a folder on a file system that refuses to map a file's pages for
// others to see, as JFFS2 does on the flash of small routers: the kernel does
// not map files that are opened for direct I/O (fuse_file_mmap). Everything
// else it passes through to a folder of the machine's own.
type nor struct{ fs.LoopbackNode }

func (n *nor) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	f, how, errno := n.LoopbackNode.Open(ctx, flags)
	return direct(f), how | fuse.FOPEN_DIRECT_IO, errno
}

func (n *nor) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	inode, f, how, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	return inode, direct(f), how | fuse.FOPEN_DIRECT_IO, errno
}

// A norFile does not offer the kernel the file behind it: that one could be
// mapped.
type norFile struct{ *fs.LoopbackFile }

func (norFile) PassthroughFd() (int, bool) { return 0, false }

func direct(f fs.FileHandle) fs.FileHandle {
	if real, ok := f.(*fs.LoopbackFile); ok {
		return norFile{real}
	}
	return f
}

// onNOR mounts such a file system for the test and answers its folder.
func onNOR(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skip("this machine has no FUSE: ", err)
	}
	//lint:ignore SA1019 a node that wraps its children would have to list them itself
	root := &fs.LoopbackRoot{Path: t.TempDir(), NewNode: func(root *fs.LoopbackRoot, _ *fs.Inode, _ string, _ *syscall.Stat_t) fs.InodeEmbedder {
		return &nor{fs.LoopbackNode{RootData: root}}
	}}
	top := &nor{fs.LoopbackNode{RootData: root}}
	root.RootNode = top
	at := t.TempDir()
	server, err := fs.Mount(at, top, &fs.Options{MountOptions: fuse.MountOptions{DirectMount: true, FsName: "nor", Name: "nor"}})
	if err != nil {
		t.Fatalf("mount: %v (who is not root needs fusermount3, of the package fuse3)", err)
	}
	t.Cleanup(func() {
		if err := server.Unmount(); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return at
}

// Where nothing can be mapped for others, SQLite's plain log does not work.
// The probe finds what does, and the record keeps everything over many
// openings and a kill.
func TestOnFlashThatRefusesSharedMappingsTheRecordKeepsEverything(t *testing.T) {
	dir := onNOR(t)
	refusesSharedMappings(t, filepath.Join(dir, "mapped"))
	plainLogFails(t, filepath.Join(dir, "plain.db"))

	for _, c := range []struct {
		name string
		opts []func(*Options)
		want journal
	}{
		{"as the probe chooses", nil, wal},
		{"with the rollback journal", []func(*Options){with(truncate)}, truncate},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, string(c.want), FileName)
			acknowledged := make(map[string]string)
			for i := range 4 {
				s := reopen(t, path, c.opts...)
				mode, err := s.Journal(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				want(t, "journal", mode, string(c.want))
				id := consentID(i)
				optIn(t, s, application{id: id, person: i, device: i, agreed: all, at: at(i)})
				endStays(t, s, at(i+60), stay(i, i, i+30, id))
				if i == 1 {
					if err := takeBack(t.Context(), s, hien.Who{Receipt: receipt(id)}, at(i+61)); err != nil {
						t.Fatal(err)
					}
				}
				for earlier := range i {
					if _, err := s.Receipt(t.Context(), receipt(consentID(earlier))); err != nil {
						t.Errorf("opening %d: receipt of %s: %v", i, consentID(earlier), err)
					}
				}
				verify(t, s)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				killOnce(t, path, c.want, acknowledged)
			}
			s := reopen(t, path)
			verify(t, s)
			for id, word := range acknowledged {
				if n := number(t, s, "SELECT count(*) FROM consents WHERE id = ?", id); n != 1 {
					t.Errorf("%s %s: it is %d times in the record, want once", word, id, n)
				}
			}
			if len(acknowledged) == 0 {
				t.Error("nobody was killed at work")
			}
		})
	}
}

// refusesSharedMappings holds that the file system is what the test is about.
func refusesSharedMappings(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(4096); err != nil {
		t.Fatal(err)
	}
	_, err = unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err == nil {
		t.Fatal("a shared mapping was granted")
	}
}

func plainLogFails(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	var mode string
	if err := db.QueryRowContext(t.Context(), "PRAGMA journal_mode = WAL").Scan(&mode); err != nil || mode != "wal" {
		return
	}
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE t (n)"); err == nil {
		t.Error("SQLite's plain log works here: the file system is not what the test is about")
	}
}
