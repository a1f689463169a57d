package world

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Daemon is a program that runs on a node until it is told to stop, and what
// it has said so far.
type Daemon struct {
	cmd  *Cmd
	name string

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and made anew with each line
	done  chan struct{} // closed when the program has ended and all is read
	err   error         // how it ended
	each  func(line string)
}

// DaemonOption changes how a program is started.
type DaemonOption func(*Daemon)

// EachLine calls f with each line that the program writes, as it comes.
func EachLine(f func(line string)) DaemonOption { return func(d *Daemon) { d.each = f } }

// Env adds KEY=value settings to the program's environment.
func Env(settings ...string) DaemonOption {
	return func(d *Daemon) { d.cmd.Env = append(d.cmd.Env, settings...) }
}

// Start starts a program on the node. What it writes to standard output and
// standard error is kept. It runs until [Daemon.Stop], [Daemon.Kill] or the
// end of the world.
func (n *Node) Start(argv []string, options ...DaemonOption) (*Daemon, error) {
	d := &Daemon{
		cmd:  n.Command(context.Background(), argv[0], argv[1:]...),
		name: filepath.Base(argv[0]),
		more: make(chan struct{}),
		done: make(chan struct{}),
	}
	for _, o := range options {
		o(d)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	d.cmd.Stdout, d.cmd.Stderr = w, w
	err = d.cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("start %s on %s: %w", d.name, n.Name, err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer r.Close()
		d.read(r)
	}()
	go func() {
		d.err = d.cmd.Wait()
		// A grandchild may hold the pipe open; it is not waited for.
		r.SetReadDeadline(time.Now().Add(time.Second))
		<-read
		close(d.done)
	}()
	return d, nil
}

func (d *Daemon) read(r *os.File) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		d.mu.Lock()
		d.lines = append(d.lines, line)
		close(d.more)
		d.more = make(chan struct{})
		d.mu.Unlock()
		if d.each != nil {
			d.each(line)
		}
	}
}

// Lines are the lines that the program has written so far.
func (d *Daemon) Lines() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.lines)
}

// Mark is the number of lines so far; see [Daemon.LineAfter].
func (d *Daemon) Mark() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.lines)
}

// Line waits for the first line, written already or to come, that holds all
// of the given texts.
func (d *Daemon) Line(ctx context.Context, texts ...string) (string, error) {
	return d.LineAfter(ctx, 0, texts...)
}

// LineAfter is like [Daemon.Line] but skips the first mark lines.
func (d *Daemon) LineAfter(ctx context.Context, mark int, texts ...string) (string, error) {
	holds := func(line string) bool {
		return !slices.ContainsFunc(texts, func(t string) bool { return !strings.Contains(line, t) })
	}
	ended := false
	for {
		d.mu.Lock()
		fresh, more := d.lines[min(mark, len(d.lines)):], d.more
		mark = max(mark, len(d.lines))
		d.mu.Unlock()
		if i := slices.IndexFunc(fresh, holds); i >= 0 {
			return fresh[i], nil
		}
		if ended {
			return "", fmt.Errorf("%s ended (%v) without a line with %q; it said:\n%s", d.name, d.err, texts, strings.Join(d.Lines(), "\n"))
		}
		select {
		case <-more:
		case <-d.done:
			ended = true // look once more at what came last
		case <-ctx.Done():
			return "", fmt.Errorf("%s: wait for a line with %q: %w; it said:\n%s", d.name, texts, ctx.Err(), strings.Join(d.Lines(), "\n"))
		}
	}
}

// PID is the program's process id within the world.
func (d *Daemon) PID() int { return d.cmd.Process.Pid }

// Signal sends the program a signal.
func (d *Daemon) Signal(sig os.Signal) error { return d.cmd.Process.Signal(sig) }

// Done is closed when the program has ended.
func (d *Daemon) Done() <-chan struct{} { return d.done }

// Wait waits until the program has ended and says how: nil for exit status 0.
func (d *Daemon) Wait(ctx context.Context) error {
	select {
	case <-d.done:
		return d.err
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of %s: %w", d.name, ctx.Err())
	}
}

// Stop asks the program to end (SIGTERM) and waits. When ctx ends before it
// does, it is killed and the error says so. A program that the signal ends
// without a word has stopped well.
func (d *Daemon) Stop(ctx context.Context) error {
	if err := d.Signal(unix.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	err := d.Wait(ctx)
	if ctx.Err() != nil {
		d.Kill()
	}
	if endedBy(err, unix.SIGTERM) {
		return nil
	}
	return err
}

// Kill ends the program at once (SIGKILL) and waits until it is gone.
func (d *Daemon) Kill() {
	d.cmd.Process.Kill()
	<-d.done
}

func endedBy(err error, sig syscall.Signal) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	ws, ok := exit.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && ws.Signal() == sig
}
