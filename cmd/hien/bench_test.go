package main

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien/internal/world"
)

// The benchmarks measure the daemon as guests meet it: through the bridge, the
// kernel's redirect and a socket each. CPU is the daemon's own, user and
// system, from /proc; what the kernel spends for packets outside of it is not
// in it. docs/performance.md holds a run of them.

// benchShop is a shop with a crowd.
func benchShop(b testing.TB, guests int, env ...string) (*world.Gateway, []*world.Guest) {
	b.Helper()
	w, err := world.New(b.Context(), world.Options{GuestPrefix: netip.MustParsePrefix("10.77.0.1/20"), Uncounted: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { w.Close() })
	crowd, err := w.AddCrowd(b.Context(), guests)
	if err != nil {
		b.Fatal(err)
	}
	// Without a grace pass: what is measured is how the button opens the door.
	g, err := w.Install(b.Context(), inSmallPages(b, build(b)), zoned(everyday, "option grace '0'"))
	if err != nil {
		b.Fatal(err)
	}
	if err := g.Start(b.Context(), world.Env(append(env, "MALLOC_ARENA_MAX=1")...)); err != nil { // glibc's malloc as frugal as musl's
		b.Fatal(err)
	}
	return g, crowd.Guests
}

// inSmallPages is the program on a file system whose pages are cached one by
// one, as a router's are. From others Linux 6.18 and later map as much around a
// page as was read at once, up to the whole program, and count it as resident.
func inSmallPages(b testing.TB, program string) string {
	b.Helper()
	dir, err := os.MkdirTemp("/run", "hien-program-") // the world's own
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	// Not a tmpfs, of which the kernel counts a program as shared memory.
	if err := unix.Mount("hien-program", dir, "ramfs", 0, ""); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	text, err := os.ReadFile(program)
	if err == nil {
		program = filepath.Join(dir, "hien")
		err = os.WriteFile(program, text, 0o755)
	}
	if err != nil {
		b.Fatal(err)
	}
	return program
}

// cpu is what a process has used so far (proc(5), stat: utime and stime, in
// ticks of 10 ms).
func cpu(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, behind, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(behind)
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// memory is a process's resident and proportional set size in bytes (proc(5),
// smaps_rollup).
func memory(b testing.TB, pid int) (rss, pss float64) {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		kib, _ := strconv.ParseFloat(f[1], 64)
		switch f[0] {
		case "Rss:":
			rss = kib / 1024
		case "Pss:":
			pss = kib / 1024
		}
	}
	return rss, pss
}

func following(g *world.Guest) world.Browser {
	c := g.HTTPClient()
	world.Follow(c)
	return world.Browser{Client: c}
}

// quantile is the q-th of the sorted durations, in milliseconds.
func quantile(d []time.Duration, q float64) float64 {
	if len(d) == 0 {
		return 0
	}
	return float64(d[int(q*float64(len(d)-1))].Microseconds()) / 1000
}

func report(b *testing.B, d []time.Duration, what string) {
	slices.Sort(d)
	b.ReportMetric(quantile(d, 0.5), "ms-p50-"+what)
	b.ReportMetric(quantile(d, 0.99), "ms-p99-"+what)
}

// BenchmarkRedirect is a probe of a phone without a pass, each on its own
// connection, with the daemon on one core.
func BenchmarkRedirect(b *testing.B) {
	g, guests := benchShop(b, 64, "GOMAXPROCS=1")
	ctx := b.Context()
	var next atomic.Int64
	before := cpu(b, g.Daemon.PID())
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		client := guests[next.Add(1)%64].HTTPClient()
		for pb.Next() {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://198.51.100.80/hotspot-detect.html", nil)
			if err != nil {
				b.Error(err)
				return
			}
			r.Host = "captive.apple.com" // as if the name had been looked up
			answer, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusFound {
				b.Errorf("status %d", answer.StatusCode)
				return
			}
		}
	})
	b.StopTimer()
	used := cpu(b, g.Daemon.PID()) - before
	b.ReportMetric(float64(used.Microseconds())/1000/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "redirects/s")
}

// BenchmarkPage is the first page, alone and with a hundred phones that ask
// for it at once.
func BenchmarkPage(b *testing.B) {
	g, guests := benchShop(b, 100)
	ctx := b.Context()
	for _, phones := range []int{1, 100} {
		b.Run(fmt.Sprintf("phones=%d", phones), func(b *testing.B) {
			var mu sync.Mutex
			var took []time.Duration
			var group sync.WaitGroup
			left := atomic.Int64{}
			left.Store(int64(b.N))
			before := cpu(b, g.Daemon.PID())
			b.ResetTimer()
			for _, guest := range guests[:phones] {
				group.Go(func() {
					browser := following(guest)
					for left.Add(-1) >= 0 {
						began := time.Now()
						page, err := browser.Open(ctx, g.Portal())
						if err != nil || page.Status != http.StatusOK {
							b.Errorf("%v", err)
							return
						}
						mu.Lock()
						took = append(took, time.Since(began))
						mu.Unlock()
					}
				})
			}
			group.Wait()
			b.StopTimer()
			report(b, took, "page")
			b.ReportMetric(float64((cpu(b, g.Daemon.PID())-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// BenchmarkButtonToInternet is the time from pressing the button to the first
// byte that the phone's probe gets from the internet: for a guest who goes on
// without, and for one whose code is right.
func BenchmarkButtonToInternet(b *testing.B) {
	const guests = 3000
	g, crowd := benchShop(b, guests)
	next := 0
	for _, way := range []string{"skip", "give"} {
		b.Run(way, func(b *testing.B) {
			ctx := b.Context()
			var button, online []time.Duration
			var used time.Duration
			for range b.N {
				if next == guests {
					b.Fatalf("the crowd of %d is used up: run with a smaller -benchtime", guests)
				}
				guest := crowd[next]
				next++
				press, path, err := ready(g, ctx, guest, way, fmt.Sprintf("09876%05d", next))
				if err != nil {
					b.Fatal(err)
				}
				before := cpu(b, g.Daemon.PID())
				began := time.Now()
				if _, err := press.Send(ctx, path); err != nil {
					b.Fatal(err)
				}
				button = append(button, time.Since(began))
				if !guest.Online(ctx, apple) {
					b.Fatal("not online after the button")
				}
				online = append(online, time.Since(began))
				used += cpu(b, g.Daemon.PID()) - before
			}
			report(b, button, "button")
			report(b, online, "online")
			b.ReportMetric(float64(used.Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// BenchmarkMemory is the daemon's memory with nobody there and with 1,000
// guests who have a pass, a fifth of whom gave their number.
func BenchmarkMemory(b *testing.B) {
	const guests, givers = 1000, 200
	g, crowd := benchShop(b, guests)
	pid := g.Daemon.PID()
	idleRSS, idlePSS := memory(b, pid)
	for i, guest := range crowd {
		way := "skip"
		if i < givers {
			way = "give"
		}
		press, path, err := ready(g, b.Context(), guest, way, fmt.Sprintf("09876%05d", i))
		if err == nil {
			_, err = press.Send(b.Context(), path)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	rss, pss := memory(b, pid)
	for b.Loop() { // what is measured stands above; Loop forgets metrics of before it
	}
	b.ReportMetric(idleRSS, "MiB-rss-idle")
	b.ReportMetric(idlePSS, "MiB-pss-idle")
	b.ReportMetric(rss, "MiB-rss-1000")
	b.ReportMetric(pss, "MiB-pss-1000")
	b.ReportMetric(0, "ns/op")
}

// ready brings a guest to where the next press of a button lets it in.
func ready(g *world.Gateway, ctx context.Context, guest *world.Guest, way, number string) (*world.Form, string, error) {
	page, err := following(guest).Open(ctx, g.Portal())
	if err != nil {
		return nil, "", err
	}
	if way == "skip" {
		form, err := page.Form("/skip")
		return form, "/skip", err
	}
	mark := g.Daemon.Mark()
	if page, err = page.Give(ctx, number); err != nil {
		return nil, "", err
	}
	form, err := page.Form("/code")
	if err != nil {
		return nil, "", err
	}
	code, err := g.Code(ctx, guest.MAC, mark)
	form.Values.Set("code", code)
	return form, "/code", err
}

// BenchmarkArrivals is a train that pulls in: 1,000 guests within a minute,
// each of whom probes, is shown the portal, and goes on without. It takes that
// minute.
func BenchmarkArrivals(b *testing.B) {
	const guests = 1000
	g, crowd := benchShop(b, guests)
	for b.Loop() {
		var mu sync.Mutex
		var shown, online []time.Duration
		var lost atomic.Int64
		var group sync.WaitGroup
		gap := time.NewTicker(time.Minute / guests)
		for _, guest := range crowd {
			<-gap.C
			group.Go(func() {
				began := time.Now()
				page, err := following(guest).Open(b.Context(), "http://198.51.100.80/hotspot-detect.html")
				seen := time.Since(began)
				var form *world.Form
				if err == nil {
					form, err = page.Form("/skip")
				}
				if err == nil {
					began = time.Now()
					_, err = form.Send(b.Context(), "/skip")
				}
				if err != nil || !guest.Online(b.Context(), apple) {
					lost.Add(1)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				shown, online = append(shown, seen), append(online, time.Since(began))
			})
		}
		group.Wait()
		gap.Stop()
		late := 0
		for _, d := range shown {
			if d > 2*time.Second {
				late++
			}
		}
		report(b, shown, "portal")
		report(b, online, "online")
		b.ReportMetric(float64(late)+float64(lost.Load()), "not-within-2s")
	}
	rss, _ := memory(b, g.Daemon.PID())
	b.ReportMetric(rss, "MiB-rss-1000")
}
