package main

import (
	"strings"
	"testing"

	"github.com/hien-wifi/hien/internal/config"
)

func TestTheDemoWearsTheOwnersTexts(t *testing.T) {
	const demo = `config hien 'main'
	option store_id 'demo'
	option store_name 'Quán Hiên'
	option data_dir '/tmp/demo'
	option controller_name 'Công ty TNHH Hiên Mẫu'
	option operator 'Công ty Vận hành Mẫu'
config zone 'guest'
	option interface 'br-guest'
	option offer 'Trà đá'
	list purpose 'visit_frequency'
`
	const own = `config hien 'main'
	option store_id 'mine'
	option store_name 'Quán "Của Tôi"'
	option controller_name "Nguyễn Thị Mẫu"
	list recipient 'Một'
	list recipient 'Hai'
	option mode 'basic'
config zone 'first'
	option interface 'wlan7'
	option terms 'Xin nhẹ nhàng'
	list purpose 'profile_extra'
config zone 'second'
	option interface 'wlan8'
	option offer 'không phải của vùng này'
`
	text, err := like([]byte(demo), []byte(own), "own")
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("demo", strings.NewReader(string(text)))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	z := c.Zones[0]
	if c.StoreName != `Quán "Của Tôi"` || c.Controller.Name != "Nguyễn Thị Mẫu" || len(c.Controller.Recipients) != 2 || c.Mode != "basic" ||
		z.Terms != "Xin nhẹ nhàng" || len(z.Purposes) != 1 || z.Purposes[0] != "profile_extra" {
		t.Errorf("the owner's texts are not there:\n%s", text)
	}
	if c.StoreID != "demo" || c.DataDir != "/tmp/demo" || z.Interface != "br-guest" || z.Name != "guest" {
		t.Errorf("the demo's own names are gone:\n%s", text)
	}
	if c.Controller.Operator != "" || z.Offer != "" {
		t.Errorf("what the owner has not is there:\n%s", text)
	}
	if _, err := like([]byte(demo), []byte("config"), "own"); err == nil || !strings.Contains(err.Error(), "own:1") {
		t.Errorf("a file with a mistake: %v, want it told by line", err)
	}
}
