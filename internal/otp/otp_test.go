package otp_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/otp"
)

func TestTheLogSenderWritesTheCodeAndNoNumber(t *testing.T) {
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			sender, err := otp.New("log", slog.New(handler(&out)))
			if err != nil {
				t.Fatal(err)
			}
			number, err := hien.ParsePhone("0987 654 321")
			if err != nil {
				t.Fatal(err)
			}
			code, _ := hien.ParseCode("042 137")
			mac := hien.MAC{0x02, 0xf0, 0x01, 0x5a, 0x10, 0x01}
			err = sender.Send(t.Context(), hien.Message{To: number, Code: code, Language: "vi", Guest: hien.GuestID{Zone: "guest", MAC: mac}})
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"INFO", "code", "042137", "guest", "02:f0:01:··:··:··"} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("want %q in\n%s", want, out.String())
				}
			}
			for _, secret := range []string{"987654321", "987 654 321", "5a:10:01", "5a1001"} {
				if strings.Contains(out.String(), secret) {
					t.Errorf("%q is in\n%s", secret, out.String())
				}
			}
		})
	}
}

func TestTheLineOfTheLogSenderIsFixed(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	code, _ := hien.ParseCode("000001")
	if err := (otp.Log{Log: log}).Send(t.Context(), hien.Message{Code: code, Guest: hien.GuestID{MAC: hien.MAC{2}}}); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "level=INFO msg=code guest=02:00:00:··:··:·· code=000001\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestAnUnknownSenderIsRefusedWithTheKnownOnes(t *testing.T) {
	_, err := otp.New("pigeon", slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), `"pigeon"`) || !strings.Contains(err.Error(), "log") {
		t.Errorf("got %v, want an error that names pigeon and log", err)
	}
}
