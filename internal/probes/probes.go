// Package probes says, as data, how each operating system asks whether it is
// online behind a portal, and which answer tells it so.
//
// The portal never depends on the list: whatever a guest without a pass asks
// for over plain HTTP is redirected. It is for those who are inside, for what
// the doctor plays, and for keeping a probe's host out of the walled garden,
// where the question would be answered and the portal never open.
package probes

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
)

// A Probe is how one operating system asks whether it is online, and the
// answer that tells it so.
type Probe struct {
	Name      string // unique, usable as a subtest's name
	OS        string // as people call it
	URL       string
	UserAgent string
	Status    int    // of the real host
	Body      string // of the real host; empty means an empty body
	Prefix    bool   // free means that the body begins with Body
}

// Free says whether an answer tells the asking system that it is online.
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

// ContentType is that of the real host's answer; empty where it has no body.
func (p Probe) ContentType() string {
	switch {
	case p.Body == "":
		return ""
	case strings.HasPrefix(p.Body, "<"):
		return "text/html"
	}
	return "text/plain"
}

// NMStatus is the header by which the hosts that NetworkManager asks say
// "online" beside the body (NetworkManager.conf(5), section connectivity).
const NMStatus = "X-NetworkManager-Status"

// NetworkManager says whether the probe is NetworkManager's.
func (p Probe) NetworkManager() bool { return p.UserAgent == nmUA }

// Hosts are the hosts of all probes, each once, sorted.
func Hosts() []string {
	var hosts []string
	for _, p := range List {
		hosts = append(hosts, p.Host())
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

const (
	androidUA = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/60.0.3112.32 Safari/537.36"
	appleUA   = "CaptiveNetworkSupport-481.100.6 wispr"
	windowsUA = "Microsoft NCSI"
	firefoxUA = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	nmUA      = "NetworkManager/1.42"

	appleSuccess   = "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>"
	firefoxSuccess = `<meta http-equiv="refresh" content="0;url=https://support.mozilla.org/kb/captive-portal"/>`
)

// List is the probes of the common systems, from the sources of Android,
// Firefox and NetworkManager, Microsoft's documentation of NCSI, and what
// Apple's hosts answer.
var List = []Probe{
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
