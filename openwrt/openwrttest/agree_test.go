package openwrttest

import (
	"strings"
	"testing"

	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/setup"
)

func TestFirstBootMakesWhatHienCanRead(t *testing.T) {
	r := newRouter(t)
	r.firstBoot("ssid=Hien", "store_name=Quán Hiên")
	cfg, err := config.Load(r.path("/etc/config/hien"))
	if err != nil {
		t.Fatal(err)
	}
	if !cfg.Enabled || len(cfg.Zones) != 1 || cfg.Zones[0].Interface != "br-hien" || cfg.StoreName != "Quán Hiên" || cfg.DataDir != "/etc/hien/record" {
		t.Errorf("got enabled %v, zones %v, store_name %q, data_dir %q", cfg.Enabled, cfg.Zones, cfg.StoreName, cfg.DataDir)
	}
	if want := "shop-0f1e2d3c"; cfg.StoreID != want {
		t.Errorf("store_id drawn by lot: got %q, want %q", cfg.StoreID, want)
	}
}

func TestThePackagesOwnConfigurationIsRightAndOff(t *testing.T) {
	cfg, err := config.Load("../hien/root/etc/config/hien")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Enabled {
		t.Error("it is on before anybody has set it up")
	}
}

// TestSetupFindsNothingToChange holds that first boot and `hien setup` make
// the same of a router.
func TestSetupFindsNothingToChange(t *testing.T) {
	for _, c := range []struct {
		name   string
		wishes []string
		owe    bool
	}{
		{"open", []string{"ssid=Quán Hiên", "store_id=hcm-q1-01", "store_name=Quán Hiên"}, false},
		{"with OWE", []string{"ssid=Hien", "store_id=hcm-q1-01", "store_name=Hien", "owe=on"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRouter(t)
			r.firstBoot(c.wishes...)
			r.write("/etc/openwrt_release", "")
			at, err := setup.ReadRouter(r.dir, r.path("/etc/config/hien"))
			if err != nil {
				t.Fatal(err)
			}
			at.CanOWE = c.owe
			answers, err := at.Propose()
			if err != nil {
				t.Fatal(err)
			}
			plan, err := at.Plan(answers)
			if err != nil {
				t.Fatal(err)
			}
			if len(plan.Changes) > 0 {
				t.Errorf("setup would still:\n%s", strings.Join(setup.CommandLines(plan.Changes), "\n"))
			}
		})
	}
}
