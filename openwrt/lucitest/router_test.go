package lucitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hien-wifi/hien/internal/uci"
)

// settings are those of a test's router.
const settings = `
config hien 'main'
	option store_id 'hcm-q1-01'
	option store_name 'Quán Hiên'
	option seal_key 'hien-seal-1:CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
	option controller_name 'Công ty TNHH Hiên Mẫu'
	list recipient 'Nền tảng CDP Mẫu'

config zone 'guest'
	option interface 'br-hien'
	option offer 'Trà đá tặng bạn.'
	option pass '4h'
	option idle '30m'
	option down '8M'
	list purpose 'visit_frequency'
	list purpose 'share_partner:banh_mi'
	list trusted '02:00:5e:10:00:09'
	list garden 'menu.shop.example'
`

// noSender is what the check says of settings: purposes, and no way of codes.
// The pages leave the backquotes out.
const (
	noSender   = "nothing is asked in zone guest, and guests come in all the same: there is no config sender, without which no code goes out; with `option type 'staff'` the shop's till shows one"
	noSenderVI = "chưa hỏi khách gì ở mạng guest, khách vẫn vào mạng: chưa có cách gửi mã (config sender); với option type 'staff' thì quầy cho xem mã"
)

// A session is who has logged in.
type session string

// The sessions of a test's router.
const (
	owner  session = "0123456789abcdef0123456789abcdef" // reads and writes
	viewer session = "fedcba9876543210fedcba9876543210" // reads
)

const aclFile = "root/usr/share/rpcd/acl.d/luci-app-hien.json"

// An acl is the file of that name: by group, and by scope ("ubus", "uci").
type acl map[string]struct {
	Description string
	Read, Write map[string]any
}

// A router is what LuCI stands on: uhttpd, rpcd with the package's ACL and its
// script, and the programs that the script starts.
type router struct {
	t   testing.TB
	dir string // of the programs' answers, and how they were called
	url string

	mu     sync.Mutex
	acl    acl
	file   uci.File // with what is saved and not applied
	ubus   []string // what was called: "hien.status", "uci.set {...}"
	denied []string // what was refused
}

func newRouter(t testing.TB) *router {
	t.Helper()
	r := &router{t: t, dir: t.TempDir()}
	r.configure(settings)
	if err := json.Unmarshal([]byte(read(t, aclFile)), &r.acl); err != nil {
		t.Fatal(err)
	}
	r.install()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ubus", r.serveUbus)
	mux.HandleFunc("GET /page", r.servePage)
	mux.Handle("GET /luci-static/", http.FileServer(http.Dir(filepath.Join(app, "htdocs"))))
	mux.Handle("GET /testdata/", http.FileServer(http.Dir(".")))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// install puts rpcd's script into the router, for busybox as there, and beside
// it the programs that it starts. Debian's busybox has no flock; OpenWrt's has.
func (r *router) install() {
	r.t.Helper()
	self, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		r.t.Fatalf("the script runs in busybox: %v", err)
	}
	flock, err := exec.LookPath("flock")
	if err != nil {
		r.t.Fatal(err)
	}
	programs := map[string]string{"hien": self, "uci": self, "flock": flock}
	for _, name := range []string{"awk", "cat", "date", "grep", "mkdir", "mv", "rm", "sed"} {
		programs[name] = busybox
	}
	if err := os.Mkdir(filepath.Join(r.dir, "bin"), 0o700); err != nil {
		r.t.Fatal(err)
	}
	for name, target := range programs {
		if err := os.Symlink(target, filepath.Join(r.dir, "bin", name)); err != nil {
			r.t.Fatal(err)
		}
	}
	script := read(r.t, "root/usr/libexec/rpcd/hien")
	_, script, ok := strings.Cut(script, "#!/bin/sh\n")
	if !ok {
		r.t.Fatal("the script does not name its interpreter first")
	}
	script = "#!" + busybox + " sh\n" + strings.ReplaceAll(script, "/var/run/hien-luci", filepath.Join(r.dir, "run"))
	if err := os.WriteFile(filepath.Join(r.dir, "script"), []byte(script), 0o700); err != nil {
		r.t.Fatal(err)
	}
}

// rpcd runs the script as rpcd does, and answers what it prints.
func (r *router) rpcd(input string, args ...string) string {
	r.t.Helper()
	cmd := exec.Command(filepath.Join(r.dir, "script"), args...)
	cmd.Env = []string{"PATH=" + filepath.Join(r.dir, "bin"), at + "=" + r.dir}
	cmd.Stdin = strings.NewReader(input)
	var said, complained bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &complained
	if err := cmd.Run(); err != nil || complained.Len() > 0 {
		r.t.Errorf("%s: %v\n%s", args, err, complained.String())
	}
	return said.String()
}

// answers prepares what `hien COMMAND --json` prints.
func (r *router) answers(command string, v any) {
	r.t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b) // as cmd/hien writes it
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		r.t.Fatal(err)
	}
	os.Remove(filepath.Join(r.dir, command+".err"))
	if err := os.WriteFile(filepath.Join(r.dir, command+".json"), b.Bytes(), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// fails prepares what `hien COMMAND` complains of.
func (r *router) fails(command, why string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, command+".err"), []byte("hien: "+why+"\n"), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// called is how the programs were called since it was last asked, one line each.
func (r *router) called() []string {
	r.t.Helper()
	name := filepath.Join(r.dir, "calls")
	text, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		return nil
	}
	if err == nil {
		err = os.Remove(name)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		var args []string
		if err := json.Unmarshal([]byte(line), &args); err != nil {
			r.t.Fatal(err)
		}
		all = append(all, strings.Join(args, " "))
	}
	return all
}

// configure sets what is applied.
func (r *router) configure(text string) {
	r.t.Helper()
	f, err := uci.Parse("hien", strings.NewReader(text))
	if err != nil {
		r.t.Fatal(err)
	}
	r.file = *f
	r.stage()
}

// stage writes what `uci export` prints for a session: all that was saved.
func (r *router) stage() {
	r.t.Helper()
	var b bytes.Buffer
	if err := r.file.Write(&b); err != nil {
		r.t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "staged"), b.Bytes(), 0o600); err != nil {
		r.t.Error(err)
	}
}

// asked is what was called by the page since it was last asked.
func (r *router) asked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.ubus
	r.ubus = nil
	return all
}

// may reports whether a session has a right by the package's ACL.
func (r *router) may(who session, scope, object, function string) bool {
	group := r.acl["luci-app-hien"]
	modes := map[string]map[string]any{"read": group.Read}
	if who == owner {
		modes["write"] = group.Write
	}
	for mode, scopes := range modes {
		switch rights := scopes[scope].(type) {
		case map[string]any: // object: [functions]
			functions, _ := rights[object].([]any)
			if slices.Contains(functions, any(function)) {
				return true
			}
		case []any: // objects; the mode is the function
			if mode == function && slices.Contains(rights, any(object)) {
				return true
			}
		}
	}
	return false
}

// serveUbus is uhttpd's way to ubus, with rpcd behind it.
func (r *router) serveUbus(w http.ResponseWriter, req *http.Request) {
	var call struct {
		ID     int               `json:"id"`
		Params []json.RawMessage `json:"params"`
	}
	var who session
	var object, method string
	var args map[string]any
	err := json.NewDecoder(req.Body).Decode(&call)
	for i, to := range []any{&who, &object, &method, &args} {
		if err == nil {
			err = json.Unmarshal(call.Params[i], to)
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	said := object + "." + method
	if text, _ := json.Marshal(args); len(args) > 0 {
		said += " " + string(text)
	}
	r.ubus = append(r.ubus, said)
	answer := map[string]any{"jsonrpc": "2.0", "id": call.ID}
	status, data, allowed := r.answer(who, object, method, args)
	switch {
	case !allowed:
		r.denied = append(r.denied, said)
		answer["error"] = map[string]any{"code": -32002, "message": "Access denied"}
	case data == nil:
		answer["result"] = []any{status}
	default:
		answer["result"] = []any{status, data}
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		r.t.Error(err)
	}
}

// ubus's status codes.
const (
	ubusOK      = 0
	ubusInvalid = 2
	ubusDenied  = 6
)

// answer is what an object on the bus answers. LuCI's own ACL lets every
// session call session and uci; rpcd's uci then asks for the file.
func (r *router) answer(who session, object, method string, args map[string]any) (status int, data any, allowed bool) {
	name, _ := args["section"].(string)
	switch object + "." + method {
	case "session.access":
		return ubusOK, map[string]any{"access": r.may(who, args["scope"].(string), args["object"].(string), args["function"].(string))}, true
	case "uci.get":
		if !r.may(who, "uci", args["config"].(string), "read") {
			return ubusDenied, nil, true
		}
		return ubusOK, map[string]any{"values": r.values()}, true
	case "uci.set", "uci.delete":
		if !r.may(who, "uci", args["config"].(string), "write") {
			return ubusDenied, nil, true
		}
		options, _ := args["options"].([]any)
		values, _ := args["values"].(map[string]any)
		for _, o := range options {
			r.set(name, o.(string), nil)
		}
		for option, v := range values {
			r.set(name, option, v)
		}
		r.stage()
		return ubusOK, nil, true
	case "uci.apply":
		return ubusOK, nil, true
	}
	if !r.may(who, "ubus", object, method) {
		return 0, nil, false
	}
	args["ubus_rpc_session"] = who // uhttpd adds it
	input, _ := json.Marshal(args)
	var reply map[string]any
	if err := json.Unmarshal([]byte(r.rpcd(string(input), "call", method)), &reply); err != nil {
		return ubusInvalid, nil, true
	}
	return ubusOK, reply, true
}

// values are the configuration as rpcd tells it.
func (r *router) values() map[string]any {
	all := make(map[string]any)
	for i, s := range r.file.Sections {
		values := map[string]any{".name": s.Name.Text, ".type": s.Type.Text, ".index": i, ".anonymous": false}
		for _, o := range s.Options {
			if !o.List {
				values[o.Name.Text] = o.Value.Text
				continue
			}
			list, _ := values[o.Name.Text].([]string)
			values[o.Name.Text] = append(list, o.Value.Text)
		}
		all[s.Name.Text] = values
	}
	return all
}

// set changes an option; nil deletes it.
func (r *router) set(section, option string, value any) {
	i := slices.IndexFunc(r.file.Sections, func(s uci.Section) bool { return s.Name.Text == section })
	if i < 0 {
		r.t.Errorf("there is no section %q", section)
		return
	}
	s := &r.file.Sections[i]
	s.Options = slices.DeleteFunc(slices.Clone(s.Options), func(o uci.Option) bool { return o.Name.Text == option })
	add := func(list bool, text string) {
		s.Options = append(s.Options, uci.Option{List: list, Name: uci.Word{Text: option}, Value: uci.Word{Text: text}})
	}
	switch v := value.(type) {
	case string:
		add(false, v)
	case []any:
		for _, one := range v {
			add(true, one.(string))
		}
	}
}

// servePage is a page of LuCI's, or one without a view for the modules alone.
func (r *router) servePage(w http.ResponseWriter, req *http.Request) {
	q := req.URL.Query()
	env, _ := json.Marshal(map[string]any{"sessionid": q.Get("session"), "view": q.Get("view"), "readonly": session(q.Get("session")) != owner})
	translations := ""
	if q.Get("lang") == "vi" {
		translations = "window.TR=" + translationsOf(r.t, []byte(read(r.t, catalogue)))
	}
	fmt.Fprintf(w, `<!DOCTYPE html>
<html lang="%s"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>LuCI</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/testdata/standin.css">
<script>window.setenv=%s;%s</script><script src="/testdata/standin.js"></script></head>
<body><div id="maincontent"><div id="view"></div></div></body></html>
`, q.Get("lang"), env, translations)
}
