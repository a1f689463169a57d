package config

import (
	"strings"
	"testing"
)

func TestTheAccessLogHasAKeyOfItsOwn(t *testing.T) {
	const one, other = "hien-seal-1:CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "hien-seal-1:CgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	const zone = "config zone guest\n option interface br-guest\n"
	for name, c := range map[string]struct{ lines, says string }{
		"off":                          {"", ""},
		"off, with a key":              {" option access_log_key '" + one + "'\n", ""},
		"with a key of its own":        {" option seal_key '" + one + "'\n option access_log vn_333\n option access_log_key '" + other + "'\n", ""},
		"without seal_key":             {" option access_log minimal\n option access_log_key '" + one + "'\n", ""},
		"without a key":                {" option access_log minimal\n", "access_log \"minimal\" has no access_log_key"},
		"with the key of numbers":      {" option seal_key '" + one + "'\n option access_log vn_333\n option access_log_key '" + one + "'\n", "access_log_key is the seal_key too"},
		"with a key that is none":      {" option access_log vn_333\n option access_log_key 'hien-unseal-1:x'\n", "access_log_key is not good"},
		"of a mode that there is not":  {" option access_log all\n", "want none, minimal or vn_333"},
		"with the key of numbers, off": {" option seal_key '" + one + "'\n option access_log_key '" + one + "'\n", "access_log_key is the seal_key too"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse("hien", strings.NewReader("config hien main\n option store_id x\n"+c.lines+zone))
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "unseal-1:x") {
					t.Errorf("got %v, want %q", err, c.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			asker, err := got.Asker()
			if want := strings.Contains(c.lines, "option access_log "); err != nil || asker.Controller.AccessLog != want || got.KeepsAccessLog() != want {
				t.Errorf("the notice says that a log is kept: %v, %v; want %v", asker.Controller.AccessLog, err, want)
			}
		})
	}
}
