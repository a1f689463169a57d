package openwrttest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A workshop is where an image is made: a stand-in for ImageBuilder, and a
// folder of packages.
type workshop struct {
	t   *testing.T
	dir string
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	w := &workshop{t, t.TempDir()}
	makefile, err := os.ReadFile("testdata/imagebuilder/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	w.write("builder/Makefile", string(makefile))
	w.write("builder/.config", "CONFIG_TARGET_ARCH_PACKAGES=\"aarch64_cortex-a53\"\n")
	w.write("builder/repositories.conf", "")
	w.write("builder/packages/README", "")
	w.write("packages/opkg/aarch64_cortex-a53/hien_0.1.0-r1_aarch64_cortex-a53.ipk", "")
	w.write("packages/opkg/aarch64_cortex-a53/luci-app-hien_0.1.0-r1_all.ipk", "")
	w.write("packages/apk/aarch64_cortex-a53/hien-0.1.0-r1.apk", "")
	w.write("packages/apk/aarch64_cortex-a53/luci-app-hien-0.1.0-r1.apk", "")
	return w
}

func (w *workshop) path(name string) string { return filepath.Join(w.dir, name) }

func (w *workshop) write(name, text string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(w.path(name)), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.path(name), []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *workshop) remove(name string) {
	w.t.Helper()
	if err := os.RemoveAll(w.path(name)); err != nil {
		w.t.Fatal(err)
	}
}

// build runs openwrt/image/build with what the workshop has.
func (w *workshop) build(args ...string) (out string, code int) {
	w.t.Helper()
	args = append([]string{"--imagebuilder", w.path("builder"), "--packages", w.path("packages"), "--out", w.path("out")}, args...)
	return w.bare(args...)
}

func (w *workshop) bare(args ...string) (out string, code int) {
	w.t.Helper()
	script, err := filepath.Abs("../image/build")
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(script, args...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "IMAGEBUILDER=", "TMPDIR="+w.dir, "MAKEFLAGS=", "MAKELEVEL=", "LC_ALL=C")
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return b.String(), cmd.ProcessState.ExitCode()
}

var temporary = regexp.MustCompile(`/tmp\.[A-Za-z0-9]+/`)

func TestImage(t *testing.T) {
	for _, c := range []struct {
		name string
		at   func(*workshop)
		args []string
	}{
		{"image-gl-mt3000", func(*workshop) {}, []string{"gl-mt3000"}},
		{"image-all-wishes", func(w *workshop) {
			w.write("more/etc/banner", "Quán Hiên\n")
		}, []string{"--ssid", "Quán Hiên", "--store-id", "hcm-q1-01", "--store-name", "Quán 'Hiên' \"số 1\"", "--wifi", "--country", "VN", "--owe", "--files", "more", "--add", "luci-i18n-base-vi -ppp", "ax3000t"}},
		{"image-apk", func(w *workshop) {
			w.remove("builder/repositories.conf")
			w.write("builder/repositories", "")
			w.write("builder/packages/hien-0.0.9-r1.apk", "an older one")
		}, []string{"wr3000", "--no-pages"}},
		{"image-another-device", func(w *workshop) {
			w.write("builder/packages/hien_0.0.9-r1_aarch64_cortex-a53.ipk", "an older one")
		}, []string{"mediatek/filogic:cudy_wr3000h-v1"}},
		{"image-x86", func(w *workshop) {
			w.write("builder/.config", "CONFIG_TARGET_ARCH_PACKAGES=\"x86_64\"\n")
			w.write("packages/opkg/x86_64/hien_0.1.0-r1_x86_64.ipk", "")
			w.write("packages/opkg/x86_64/luci-app-hien_0.1.0-r1_all.ipk", "")
		}, []string{"x86-64"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorkshop(t)
			c.at(w)
			w.write("out/mine.txt", "somebody's")
			out, code := w.build(c.args...)
			if code != 0 {
				t.Fatalf("got exit status %d, output\n%s", code, out)
			}
			asked, err := os.ReadFile(w.path("builder/asked"))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, c.name, string(asked)+"\n"+strings.ReplaceAll(temporary.ReplaceAllString(out, "/"), w.dir, ""))
			if _, err := os.Stat(w.path("out/mine.txt")); err != nil {
				t.Errorf("another file of the folder is gone: %v", err)
			}
			left, err := filepath.Glob(w.path("tmp.*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left over: %v, %v", left, err)
			}
		})
	}
}

func TestImageIsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		at   func(*workshop)
		args []string
		want string
	}{
		{"a device that nobody knows", nil, []string{"wrt54g"}, "wrt54g is none of the devices"},
		{"two devices", nil, []string{"ax3000t", "wr3000"}, "one device at a time"},
		{"a flag that is none", nil, []string{"ax3000t", "--colour"}, "there is no flag --colour"},
		{"a flag without its value", nil, []string{"ax3000t", "--ssid"}, "--ssid wants a value"},
		{"an empty name on the air", nil, []string{"ax3000t", "--ssid", ""}, "--ssid has 0 bytes"},
		{"a name that is too long for the air", nil, []string{"ax3000t", "--ssid", "Quán cà phê Hiên ở góc phố"}, "--ssid has 35 bytes"},
		{"a name that would be another wish", nil, []string{"ax3000t", "--store-name", "x\nwifi=on"}, "--store-name is more than one line"},
		{"an id that is none", nil, []string{"ax3000t", "--store-id", "Hà Nội"}, "--store-id Hà Nội: want"},
		{"radios without a country", nil, []string{"ax3000t", "--wifi"}, "--wifi wants --country"},
		{"a country in words", nil, []string{"ax3000t", "--country", "Vietnam"}, "want two letters"},
		{"no ImageBuilder in the folder", func(w *workshop) { w.remove("builder/Makefile") }, []string{"ax3000t"}, "is no ImageBuilder"},
		{"a Makefile of something else", func(w *workshop) { w.remove("builder/.config") }, []string{"ax3000t"}, "is it an ImageBuilder?"},
		{"packages for other machines", func(w *workshop) { w.write("builder/.config", "CONFIG_TARGET_ARCH_PACKAGES=\"mipsel_24kc\"\n") }, []string{"ax3000t"}, "run `make openwrt`"},
		{"no package", func(w *workshop) {
			w.remove("packages/opkg/aarch64_cortex-a53/hien_0.1.0-r1_aarch64_cortex-a53.ipk")
		}, []string{"ax3000t"}, "there is no hien for aarch64_cortex-a53"},
		{"two of one package", func(w *workshop) {
			w.write("packages/opkg/aarch64_cortex-a53/hien_0.2.0-r1_aarch64_cortex-a53.ipk", "")
		}, []string{"ax3000t"}, "there are several of hien"},
		{"an ImageBuilder without the device", nil, []string{"mediatek/filogic:cudy_wr9000"}, "  cudy_wr3000h-v1\n"},
		{"an image that is too large", func(w *workshop) { w.write("builder/too-big", "") }, []string{"ax3000t"}, "try --no-pages"},
		{"an image without Hiên", func(w *workshop) { w.write("builder/without-hien", "") }, []string{"ax3000t"}, "hien is not in the image"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorkshop(t)
			if c.at != nil {
				c.at(w)
			}
			out, code := w.build(c.args...)
			if code != 1 || !strings.Contains(out, c.want) {
				t.Errorf("got exit status %d, output\n%s\nwant 1 and %q", code, out, c.want)
			}
			if _, err := os.Stat(w.path("out")); err == nil {
				t.Error("there is an image all the same")
			}
		})
	}
}

func TestImageWithoutImageBuilderSaysWhereItIs(t *testing.T) {
	w := newWorkshop(t)
	for release, want := range map[string]string{
		"24.10.4": "https://downloads.openwrt.org/releases/24.10.4/targets/mediatek/filogic/openwrt-imagebuilder-24.10.4-mediatek-filogic.Linux-x86_64.tar.zst",
		"23.05.5": "https://downloads.openwrt.org/releases/23.05.5/targets/mediatek/filogic/openwrt-imagebuilder-23.05.5-mediatek-filogic.Linux-x86_64.tar.xz",
	} {
		out, code := w.bare("ax3000t", "--release", release)
		if code != 2 || !strings.Contains(out, want+"\n") {
			t.Errorf("%s: got exit status %d, output\n%s\nwant 2 and %s", release, code, out, want)
		}
	}
	if out, code := w.bare(); code != 2 || !strings.Contains(out, "usage:") {
		t.Errorf("without a device: got exit status %d, output\n%s", code, out)
	}
	if out, code := w.bare("--help"); code != 0 || !strings.Contains(out, "gl-mt3000") {
		t.Errorf("--help: got exit status %d, output\n%s", code, out)
	}
}

// TestTheFirstBootKnowsEveryWish holds that what the image script writes is
// what the first boot reads.
func TestTheFirstBootKnowsEveryWish(t *testing.T) {
	w := newWorkshop(t)
	if out, code := w.build("--ssid", "Quán Hiên", "--store-id", "hcm-q1-01", "--store-name", "Quán Hiên", "--wifi", "--country", "VN", "--owe", "ax3000t"); code != 0 {
		t.Fatal(out)
	}
	asked, err := os.ReadFile(w.path("builder/asked"))
	if err != nil {
		t.Fatal(err)
	}
	_, told, _ := strings.Cut(string(asked), "./usr/share/hien/first-boot\n")
	told, _, _ = strings.Cut(told, "README")
	r := newRouter(t)
	r.firstBoot(strings.Split(strings.TrimSpace(told), "\n")...)
	if notes := r.notes(); notes != "" {
		t.Errorf("the first boot has something to say:\n%s", notes)
	}
	for name, want := range map[string]string{
		"/etc/config/hien": "option store_name 'Quán Hiên'", "/etc/config/wireless": "option country 'VN'",
	} {
		if got := r.read(name); !strings.Contains(got, want) {
			t.Errorf("%s: got\n%s\nwant %s in it", name, got, want)
		}
	}
}
