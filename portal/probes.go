package portal

import (
	"io"
	"net"
	"net/http"
	"strings"
)

// A probe's answer is what the real server says to a device that is online.
type answer struct {
	status int
	kind   string // Content-Type
	body   string
}

func (a answer) write(w http.ResponseWriter) {
	if a.kind != "" {
		w.Header().Set("Content-Type", a.kind)
	}
	w.WriteHeader(a.status)
	if a.body != "" {
		io.WriteString(w, a.body)
	}
}

var (
	online204    = answer{status: http.StatusNoContent}
	appleSuccess = answer{http.StatusOK, "text/html",
		"<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>"}
	firefoxCanonical = answer{http.StatusOK, "text/html",
		`<meta http-equiv="refresh" content="0;url=https://support.mozilla.org/kb/captive-portal"/>`}
)

func text(body string) answer { return answer{http.StatusOK, "text/plain", body} }

// probes are the probes of the systems that guests bring, by host and path.
// The portal does not depend on the list: what is not in it is redirected,
// and the list is only looked at for guests who are inside.
var probes = map[string]answer{
	// Android, ChromeOS and what their makers made of them.
	"connectivitycheck.gstatic.com/generate_204":          online204,
	"www.google.com/generate_204":                         online204,
	"www.google.com/gen_204":                              online204,
	"play.googleapis.com/generate_204":                    online204,
	"clients3.google.com/generate_204":                    online204,
	"connectivitycheck.android.com/generate_204":          online204,
	"connect.rom.miui.com/generate_204":                   online204,
	"connectivitycheck.platform.hicloud.com/generate_204": online204,
	"connectivitycheck.cbg-app.huawei.com/generate_204":   online204,
	"conn1.oppomobile.com/generate_204":                   online204,
	"wifi.vivo.com.cn/generate_204":                       online204,
	"captive.apple.com/hotspot-detect.html":               appleSuccess,
	"www.apple.com/library/test/success.html":             appleSuccess,
	"www.msftconnecttest.com/connecttest.txt":             text("Microsoft Connect Test"),
	"ipv6.msftconnecttest.com/connecttest.txt":            text("Microsoft Connect Test"),
	"www.msftncsi.com/ncsi.txt":                           text("Microsoft NCSI"),
	"detectportal.firefox.com/canonical.html":             firefoxCanonical,
	"detectportal.firefox.com/success.txt":                text("success\n"),
	"network-test.debian.org/nm":                          text("NetworkManager is online\n"),
	"fedoraproject.org/static/hotspot.txt":                text("OK"),
}

// probeAnswer is what the real server answers to a request that is a known
// probe.
func probeAnswer(r *http.Request) (answer, bool) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	a, ok := probes[strings.ToLower(strings.TrimSuffix(host, "."))+r.URL.Path]
	return a, ok
}
