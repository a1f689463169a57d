package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"github.com/hien-wifi/hien/tools/openwrt/apk"
	"github.com/hien-wifi/hien/tools/openwrt/deb"
	"github.com/hien-wifi/hien/tools/openwrt/deflate"
	"github.com/hien-wifi/hien/tools/openwrt/feed"
	"github.com/hien-wifi/hien/tools/openwrt/ipk"
	"github.com/hien-wifi/hien/tools/openwrt/parcel"
)

// A task makes one package.
type task struct {
	kind   string // opkg, apk or deb: the folder
	arch   string // OpenWrt's or Debian's, "all" for the pages
	parcel parcel.Parcel

	opkg     ipk.Package
	apk      apk.Package
	bytes    []byte
	filename string
}

func (j job) run(out, log io.Writer) error {
	keys, err := j.loadKeys(log)
	if err != nil {
		return err
	}
	tasks, err := j.tasks(log)
	if err != nil {
		return err
	}
	var compressor deflate.Compressor
	if err := inParallel(tasks, func(t *task) error { return t.pack(&compressor) }); err != nil {
		return err
	}
	for _, kind := range []string{"opkg", "apk", "deb"} {
		if err := os.RemoveAll(filepath.Join(j.out, kind)); err != nil {
			return fmt.Errorf("clear what was there: %w", err)
		}
	}
	if err := j.writeFeeds(tasks, keys); err != nil {
		return err
	}
	return printTable(out, tasks)
}

// tasks lists what is to be packed, with everything in it.
func (j job) tasks(log io.Writer) ([]*task, error) {
	service, label, err := parcel.Load(filepath.Join(j.tree, "hien"), j.version, j.at)
	if err != nil {
		return nil, err
	}
	if service.Version.Dirty {
		fmt.Fprintf(log, "openwrt: %s is built from files that no commit has: keep these packages to yourself\n", j.version)
	}
	pages, _, err := parcel.Load(filepath.Join(j.tree, "luci-app-hien"), j.version, j.at)
	if err != nil {
		return nil, err
	}
	debian, debianLabel, err := j.debian(service)
	if err != nil {
		return nil, err
	}
	tasks := []*task{{kind: "opkg", arch: "all", parcel: pages}, {kind: "apk", arch: "all", parcel: pages}}
	for _, p := range j.programs {
		binary, err := os.ReadFile(p.file)
		if err != nil {
			return nil, fmt.Errorf("read program for %s: %w", p.machine.name, err)
		}
		if err := p.machine.check(binary); err != nil {
			return nil, fmt.Errorf("%s: for %s: %w", p.file, p.machine.name, err)
		}
		add := func(kind string, base parcel.Parcel, label parcel.Label, archs ...string) {
			for _, arch := range archs {
				with := base
				with.Arch = arch
				with.Files = slices.Clone(base.Files)
				with.Add(parcel.File{Path: cmp.Or(label.Binary, "/usr/bin/hien"), Mode: 0o755, Data: binary})
				tasks = append(tasks, &task{kind: kind, arch: arch, parcel: with})
			}
		}
		add("opkg", service, label, p.machine.opkg...)
		add("apk", service, label, p.machine.apk...)
		if p.machine.deb != "" {
			add("deb", debian, debianLabel, p.machine.deb)
		}
	}
	seen := map[[2]string]bool{}
	for _, t := range tasks {
		if seen[[2]string{t.kind, t.arch}] {
			return nil, fmt.Errorf("%s for %s is to be made twice: see the -bin flags", t.kind, t.arch)
		}
		seen[[2]string{t.kind, t.arch}] = true
	}
	return tasks, nil
}

// debian is the parcel for plain Linux: its own folder, the unit, and the
// configuration that routers get, where its folder has no other.
func (j job) debian(service parcel.Parcel) (parcel.Parcel, parcel.Label, error) {
	p, label, err := parcel.Load(filepath.Join(j.tree, "deb"), j.version, j.at)
	if err != nil {
		return parcel.Parcel{}, parcel.Label{}, err
	}
	unit, err := os.ReadFile(filepath.Join(j.tree, "systemd", "hien.service"))
	if err != nil {
		return parcel.Parcel{}, parcel.Label{}, fmt.Errorf("read systemd unit: %w", err)
	}
	p.Add(parcel.File{Path: "/usr/lib/systemd/system/hien.service", Mode: 0o644, Data: unit})
	for _, name := range p.Conffiles {
		if _, there := p.File(name); !there {
			if f, there := service.File(name); there {
				p.Add(f)
			}
		}
	}
	return p, label, nil
}

func (t *task) pack(c *deflate.Compressor) (err error) {
	switch t.kind {
	case "opkg":
		t.opkg, err = ipk.Write(t.parcel, c)
		t.bytes, t.filename = t.opkg.Bytes, t.opkg.Filename
	case "apk":
		t.apk, err = apk.Write(t.parcel, c)
		t.bytes, t.filename = t.apk.Bytes, t.apk.Filename
	case "deb":
		var p deb.Package
		p, err = deb.Write(t.parcel)
		t.bytes, t.filename = p.Bytes, p.Filename
	}
	if err != nil {
		return fmt.Errorf("pack %s for %s: %w", t.kind, t.arch, err)
	}
	return nil
}

// inParallel runs a function on each, as many at once as there are processors,
// and answers all errors.
func inParallel[T any](all []T, do func(T) error) error {
	errs := make([]error, len(all))
	var wait sync.WaitGroup
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, one := range all {
		free <- struct{}{}
		wait.Go(func() {
			errs[i] = do(one)
			<-free
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// writeFeeds writes each architecture's folder: its packages, those for all
// architectures, and the index.
func (j job) writeFeeds(tasks []*task, k keys) error {
	archs := map[string][]*task{} // kind/arch -> packages
	for _, t := range tasks {
		switch {
		case t.kind == "deb":
			if err := write(filepath.Join(j.out, "deb"), t.filename, t.bytes, 0o644); err != nil {
				return err
			}
		case t.arch != "all":
			archs[t.kind+"/"+t.arch] = []*task{t}
		}
	}
	for _, t := range tasks {
		if t.kind == "deb" || t.arch != "all" {
			continue
		}
		for folder := range archs {
			if filepath.Dir(folder) == t.kind {
				archs[folder] = append(archs[folder], t)
			}
		}
	}
	for folder, inside := range archs {
		dir := filepath.Join(j.out, filepath.FromSlash(folder))
		files := map[string][]byte{}
		for _, t := range inside {
			files[t.filename] = t.bytes
		}
		index, err := k.index(folder, inside)
		if err != nil {
			return err
		}
		for name, b := range index {
			files[name] = b
		}
		for name, b := range files {
			if err := write(dir, name, b, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k keys) index(folder string, inside []*task) (map[string][]byte, error) {
	var opkg []ipk.Package
	var apks []apk.Package
	for _, t := range inside {
		opkg, apks = append(opkg, t.opkg), append(apks, t.apk)
	}
	if filepath.Dir(folder) == "opkg" {
		return feed.Opkg(opkg, k.opkg)
	}
	index, err := apk.Index("Hiên for "+filepath.Base(folder), apks, k.apk)
	return map[string][]byte{"packages.adb": index}, err
}

func write(dir, name string, b []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), b, mode); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
