package deflate

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func inflate(t testing.TB, b []byte) []byte {
	t.Helper()
	in := bytes.NewReader(b)
	out, err := io.ReadAll(flate.NewReader(in))
	if err != nil {
		t.Fatalf("inflate %d bytes: %v", len(b), err)
	}
	if in.Len() > 0 {
		t.Errorf("%d bytes follow the stream's end", in.Len())
	}
	return out
}

// machineCode is what packages are full of: part of this test's own program.
func machineCode(t testing.TB, n int) []byte {
	t.Helper()
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b[:min(n, len(b))]
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{'n'})
	r.Read(b)
	return b
}

func TestCompress(t *testing.T) {
	text := []byte(strings.Repeat("Mời bạn vào hiên nghỉ chân. ", 400))
	for _, c := range []struct {
		name string
		in   []byte
		most int // bytes
	}{
		{"nothing", nil, 2},
		{"one byte", []byte("x"), 16},
		{"three bytes", []byte("abc"), 18},
		{"the longest match and one more", bytes.Repeat([]byte("x"), 260), 24},
		{"a byte a million times over", make([]byte, 1_000_000), 1200},
		{"a text over and over", text, 150},
		{"every byte once", allBytes(), 270},
		{"noise is stored", noise(200_000), 200_100},
		{"noise, text, noise", slices.Concat(noise(30_000), text, noise(30_000)), 60_400},
		{"matches over the border of two chunks", overBorder(), chunkSize + 100},
		{"a repetition as far as the window", slices.Concat(noise(window-1), noise(window-1)), window + 600},
		{"a repetition out of the window", slices.Concat(noise(window), noise(window)), 2*window + 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Compress(c.in, true)
			if back := inflate(t, got); !bytes.Equal(back, c.in) {
				t.Errorf("%d bytes came back as %d others", len(c.in), len(back))
			}
			if len(got) > c.most {
				t.Errorf("%d bytes became %d, want at most %d", len(c.in), len(got), c.most)
			}
		})
	}
}

// overBorder repeats a thousand bytes, half of them in each chunk.
func overBorder() []byte {
	b := noise(chunkSize - 500)
	return append(b, b[len(b)-1000:]...)
}

func allBytes() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func TestMachineCodeIsSmallerThanTheStandardLibrarys(t *testing.T) {
	in := machineCode(t, 3<<19) // more than a chunk
	got := Compress(in, true)
	if !bytes.Equal(inflate(t, got), in) {
		t.Fatal("it did not come back")
	}
	var std bytes.Buffer
	w, _ := flate.NewWriter(&std, flate.BestCompression)
	w.Write(in)
	w.Close()
	t.Logf("%d bytes: %d, by the standard library %d", len(in), len(got), std.Len())
	if len(got)*100 > std.Len()*96 {
		t.Errorf("%d bytes, want at least 4 %% fewer than the standard library's %d", len(got), std.Len())
	}
}

func TestStreamsFollowEachOther(t *testing.T) {
	one, two := []byte(strings.Repeat("one ", 100)), noise(100)
	stream := slices.Concat(Compress(one, false), Compress(nil, false), Compress(two, false), Compress(one, true))
	if got, want := inflate(t, stream), slices.Concat(one, two, one); !bytes.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheSameHoweverManyWork(t *testing.T) {
	in := slices.Concat(machineCode(t, 400_000), noise(1000), machineCode(t, chunkSize))
	many := Compress(in, true)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if alone := Compress(in, true); !bytes.Equal(alone, many) {
		t.Errorf("%d bytes on one processor, %d on more, and not the same", len(alone), len(many))
	}
}

func TestACompressorRemembers(t *testing.T) {
	var c Compressor
	in := machineCode(t, 50_000)
	for range 2 {
		if got, want := c.Compress(in, true), Compress(in, true); !bytes.Equal(got, want) {
			t.Errorf("final: %d bytes, want the same %d as without a memory", len(got), len(want))
		}
		if got, want := c.Compress(in, false), Compress(in, false); !bytes.Equal(got, want) {
			t.Errorf("not final: %d bytes, want the same %d as without a memory", len(got), len(want))
		}
	}
	if got := len(c.done); got != 2 {
		t.Errorf("it remembers %d streams, want 2", got)
	}
}

// gzip itself, and busybox that routers have, read what Gzip writes.
func TestGzip(t *testing.T) {
	in := machineCode(t, 100_000)
	got := new(Compressor).Gzip(in)
	r, err := gzip.NewReader(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	if r.Name != "" || !r.ModTime.IsZero() {
		t.Errorf("name %q and time %v, want none", r.Name, r.ModTime)
	}
	if back, err := io.ReadAll(r); err != nil || !bytes.Equal(back, in) {
		t.Errorf("%d bytes and %v, want the %d that were given", len(back), err, len(in))
	}
	for _, args := range [][]string{{"gzip", "-dc"}, {"busybox", "gunzip", "-c"}} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stdin = bytes.NewReader(got)
		if back, err := cmd.Output(); err != nil || !bytes.Equal(back, in) {
			t.Errorf("%v: %d bytes and %v, want the %d that were given", args, len(back), err, len(in))
		}
	}
}

func TestCodeLengths(t *testing.T) {
	fibonacci := []uint32{1, 1}
	for len(fibonacci) < 30 {
		fibonacci = append(fibonacci, fibonacci[len(fibonacci)-1]+fibonacci[len(fibonacci)-2])
	}
	for _, c := range []struct {
		name   string
		counts []uint32
		limit  int
		want   []uint8 // nil: only what must hold for all
	}{
		{"no symbol still has two codes", []uint32{0, 0, 0}, 7, []uint8{1, 1, 0}},
		{"one symbol has another beside it", []uint32{0, 0, 9}, 7, []uint8{1, 0, 1}},
		{"equal counts", []uint32{5, 5, 5, 5}, 7, []uint8{2, 2, 2, 2}},
		{"rare ones are longer", []uint32{1, 1, 2, 4, 8}, 7, []uint8{4, 4, 3, 2, 1}},
		{"but not than the limit", []uint32{1, 1, 2, 4, 8}, 3, []uint8{3, 3, 3, 3, 1}},
		{"as many as fit", make([]uint32, 0), 3, nil},
		{"fibonacci numbers would go deep", fibonacci, 7, nil},
		{"and here", fibonacci, 15, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if len(c.counts) == 0 {
				c.counts = []uint32{1, 2, 3, 4, 5, 6, 7, 8}
			}
			got := codeLengths(c.counts, c.limit)
			if c.want != nil && !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			room := 0
			for i, n := range got {
				if int(n) > c.limit || n == 0 && c.counts[i] > 0 {
					t.Errorf("symbol %d, which is there %d times, has a code of %d bits, limit %d", i, c.counts[i], n, c.limit)
				}
				if n > 0 {
					room += 1 << (c.limit - int(n))
				}
			}
			if room != 1<<c.limit {
				t.Errorf("the code %v uses %d of %d leaves, want all", got, room, 1<<c.limit)
			}
		})
	}
}

func FuzzCompress(f *testing.F) {
	f.Add([]byte("abcabcabcabcabc"), uint8(3))
	f.Add(make([]byte, 1000), uint8(1))
	f.Add(noise(300), uint8(90))
	f.Fuzz(func(t *testing.T, in []byte, times uint8) {
		in = bytes.Repeat(in, int(times)%100)
		in = in[:min(len(in), 20_000)]
		if got := inflate(t, Compress(in, true)); !bytes.Equal(got, in) {
			t.Errorf("%d bytes came back as %d others", len(in), len(got))
		}
	})
}
