package hien_test

import (
	"testing"

	"github.com/hien-wifi/hien/consent"
)

// asker is the made-up controller of a made-up shop, by one of the policies.
func asker(t testing.TB, policy string) consent.Asker {
	t.Helper()
	p, err := consent.LoadPolicy(policy)
	if err != nil {
		t.Fatal(err)
	}
	return consent.Asker{Policy: p, Controller: consent.Controller{
		Name: "Công ty TNHH Hiên Mẫu", Address: "1 Đường Mẫu, Quận 1, TP. Hồ Chí Minh", TaxID: "0000000001",
		Contact: "dpo@hien.example", Delivers: true, Recipients: []string{"Nền tảng CDP Mẫu"}}}
}
