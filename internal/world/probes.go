package world

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Probe is how one operating system asks whether it is online, and the answer
// that tells it so.
type Probe struct {
	Name      string // unique, usable as a subtest's name
	OS        string
	URL       string
	UserAgent string
	Status    int    // of the real host
	Body      string // of the real host; empty means an empty body
	Prefix    bool   // free means that the body begins with Body
}

// Free says whether an answer tells the probing system that it is online.
func (p Probe) Free(status int, body []byte) bool {
	if status != p.Status {
		return false
	}
	if p.Prefix {
		return bytes.HasPrefix(body, []byte(p.Body))
	}
	return string(body) == p.Body
}

// Host is the probe's host name.
func (p Probe) Host() string {
	u, err := url.Parse(p.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// HTTPS says whether the probe goes over TLS, where a portal can only refuse.
func (p Probe) HTTPS() bool { return strings.HasPrefix(p.URL, "https:") }

// IPv6Only says whether the probe's host has no IPv4 address.
func (p Probe) IPv6Only() bool { return p.Host() == "ipv6.msftconnecttest.com" }

const (
	androidUA = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/60.0.3112.32 Safari/537.36"
	appleUA   = "CaptiveNetworkSupport-481.100.6 wispr"
	windowsUA = "Microsoft NCSI"
	firefoxUA = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	nmUA      = "NetworkManager/1.42"

	appleSuccess   = "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>"
	firefoxSuccess = `<meta http-equiv="refresh" content="0;url=https://support.mozilla.org/kb/captive-portal"/>`
)

// Probes are the probes of the common systems, from the sources of Android,
// Firefox and NetworkManager, Microsoft's documentation of NCSI, and what
// Apple's hosts answer.
var Probes = []Probe{
	{"android", "Android", "http://connectivitycheck.gstatic.com/generate_204", androidUA, 204, "", false},
	{"android-https", "Android", "https://www.google.com/generate_204", androidUA, 204, "", false},
	{"android-fallback", "Android", "http://www.google.com/gen_204", androidUA, 204, "", false},
	{"android-play", "Android", "http://play.googleapis.com/generate_204", androidUA, 204, "", false},
	{"android-clients3", "Android", "http://clients3.google.com/generate_204", androidUA, 204, "", false},
	{"android-old", "Android", "http://connectivitycheck.android.com/generate_204", androidUA, 204, "", false},
	{"xiaomi", "Android", "http://connect.rom.miui.com/generate_204", androidUA, 204, "", false},
	{"huawei", "Android", "http://connectivitycheck.platform.hicloud.com/generate_204", androidUA, 204, "", false},
	{"honor", "Android", "http://connectivitycheck.cbg-app.huawei.com/generate_204", androidUA, 204, "", false},
	{"oppo", "Android", "http://conn1.oppomobile.com/generate_204", androidUA, 204, "", false},
	{"vivo", "Android", "http://wifi.vivo.com.cn/generate_204", androidUA, 204, "", false},
	{"apple", "iOS", "http://captive.apple.com/hotspot-detect.html", appleUA, 200, appleSuccess, true},
	{"apple-old", "iOS", "http://www.apple.com/library/test/success.html", appleUA, 200, appleSuccess, true},
	{"windows", "Windows", "http://www.msftconnecttest.com/connecttest.txt", windowsUA, 200, "Microsoft Connect Test", false},
	{"windows-ipv6", "Windows", "http://ipv6.msftconnecttest.com/connecttest.txt", windowsUA, 200, "Microsoft Connect Test", false},
	{"windows-old", "Windows", "http://www.msftncsi.com/ncsi.txt", windowsUA, 200, "Microsoft NCSI", false},
	{"firefox", "Firefox", "http://detectportal.firefox.com/canonical.html", firefoxUA, 200, firefoxSuccess, false},
	{"firefox-ipv4", "Firefox", "http://detectportal.firefox.com/success.txt?ipv4", firefoxUA, 200, "success\n", false},
	{"firefox-ipv6", "Firefox", "http://detectportal.firefox.com/success.txt?ipv6", firefoxUA, 200, "success\n", false},
	{"networkmanager-debian", "Linux", "http://network-test.debian.org/nm", nmUA, 200, "NetworkManager is online\n", false},
	{"networkmanager-fedora", "Linux", "http://fedoraproject.org/static/hotspot.txt", nmUA, 200, "OK", true},
}

// ProbeByName is the probe with a name that must exist.
func ProbeByName(name string) Probe {
	i := slices.IndexFunc(Probes, func(p Probe) bool { return p.Name == name })
	if i < 0 {
		panic("world: no probe " + name)
	}
	return Probes[i]
}

// internetHosts are the names of a world's internet beside the probes' hosts.
var internetHosts = []string{
	"example.vn", "shop.example.vn", "www.example.vn", "support.mozilla.org", "www.msn.com",
	"ocsp.example.vn", "pool.ntp.example.vn",
}

// CDPHost is the name of the customer-data platform's stand-in, on port 8443.
const CDPHost = "cdp.example"

// probeHosts are the hosts of all probes, each once, in order.
func probeHosts() []string {
	var hosts []string
	for _, p := range Probes {
		if !slices.Contains(hosts, p.Host()) {
			hosts = append(hosts, p.Host())
		}
	}
	return hosts
}

// serveInternet answers as the real hosts do to their probes, and with a
// small page for every other host. /bytes?n=… gives n bytes of any host.
func serveInternet(w http.ResponseWriter, r *http.Request) {
	host := strings.ToLower(r.Host)
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	asked := scheme + "://" + host + r.URL.RequestURI()
	bare := scheme + "://" + host + r.URL.Path
	for _, p := range Probes {
		// The hosts answer over TLS as well as without.
		if u := strings.Replace(p.URL, "https://", "http://", 1); u == strings.Replace(asked, "https://", "http://", 1) || u == strings.Replace(bare, "https://", "http://", 1) {
			answerProbe(w, p)
			return
		}
	}
	switch {
	case host == "www.msftconnecttest.com" && r.URL.Path == "/redirect":
		// What Windows opens for the person once it is online.
		http.Redirect(w, r, "http://www.msn.com/", http.StatusFound)
	case r.URL.Path == "/bytes":
		n, err := strconv.ParseInt(r.FormValue("n"), 10, 64)
		if err != nil || n < 0 {
			http.Error(w, "bad n", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
		io.CopyN(w, zeros{}, n)
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><title>%s</title><p>This is the internet, at %s.</p>\n", host, host)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func answerProbe(w http.ResponseWriter, p Probe) {
	if p.OS == "Linux" {
		w.Header().Set("X-NetworkManager-Status", "online")
	}
	switch {
	case p.Status == http.StatusNoContent:
	case strings.HasPrefix(p.Body, "<"):
		w.Header().Set("Content-Type", "text/html")
	default:
		w.Header().Set("Content-Type", "text/plain")
	}
	w.WriteHeader(p.Status)
	io.WriteString(w, p.Body)
}
