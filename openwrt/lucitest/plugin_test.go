package lucitest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien/internal/control"
)

// call asks rpcd's script for a method as rpcd does, for a session.
func (r *router) call(method, args string) map[string]any {
	r.t.Helper()
	input := strings.TrimSuffix(args, "}") + `,"ubus_rpc_session":"` + string(owner) + `"}`
	said := r.rpcd(strings.Replace(input, "{,", "{", 1), "call", method)
	var reply map[string]any
	if err := json.Unmarshal([]byte(said), &reply); err != nil {
		r.t.Fatalf("%s %s answers no JSON object: %v\n%s", method, args, err, said)
	}
	return reply
}

func TestScriptReads(t *testing.T) {
	r := newRouter(t)
	r.shop(ill())
	var want map[string]any
	text, _ := json.Marshal(ill())
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, r.call("status", "{}")); diff != "" {
		t.Errorf("the status is not that of the daemon (-want +got):\n%s", diff)
	}
	numbers := r.call("numbers", "{}")
	if starts, _ := numbers["starts"].([]any); numbers["leads"] != 57.0 || numbers["visits"] != 418.0 || len(starts) != 4 {
		t.Errorf("the numbers are %v", numbers)
	}
	if text := fmt.Sprint(numbers); strings.Contains(text, "5f0c2a") || strings.Contains(text, "6f0c2a") || strings.Contains(text, "k1:") {
		t.Errorf("the numbers tell of whom they are: %s", text)
	}
	if want := []string{"hien status --json", "hien leads --limit 1 --json", "hien visits --limit 200 --json"}; !slices.Equal(want, r.called()) {
		t.Errorf("the router did something else than %q", want)
	}
	r.answers("staff-code", control.StaffCode{Code: "123456", SecondsLeft: 200})
	if got := r.call("tillcode", "{}"); got["code"] != "123456" || got["seconds_left"] != 200.0 {
		t.Errorf("the till's code is %v", got)
	}
	r.fails("leads", "the record is closed")
	r.answers("visits", control.List[control.Visit]{Items: []control.Visit{}})
	if diff := cmp.Diff(map[string]any{"leads": nil, "visits": 0.0, "starts": []any{}}, r.call("numbers", "{}")); diff != "" {
		t.Errorf("with a closed record and no visits (-want +got):\n%s", diff)
	}
}

// TestScriptPassesOnWhatIsWrong has errors with everything that JSON escapes.
func TestScriptPassesOnWhatIsWrong(t *testing.T) {
	r := newRouter(t)
	r.fails("status", "one \"quoted\" \\ back\tslash\nand a second line: Hiên · ·")
	got := r.call("status", "{}")
	if diff := cmp.Diff(map[string]any{"error": []any{`one "quoted" \ back slash`, "and a second line: Hiên · ·"}}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := r.call("nonsense", "{}"); got["error"] == nil {
		t.Errorf("an unknown method answers %v", got)
	}
	if got := r.called(); !slices.Equal(got, []string{"hien status --json"}) {
		t.Errorf("the router did %q", got)
	}
}

// TestScriptBoundsItsArguments tries to say more to hien than the pages may.
func TestScriptBoundsItsArguments(t *testing.T) {
	r := newRouter(t)
	r.shop(well())
	const third = `"addr":"10.20.0.19","zone":"guest","mac":"02:00:5e"`
	full := "hien guests --full --limit 1000 --json"
	for _, c := range []struct {
		name, method, args string
		want               []string
	}{
		{"a guest by its zone, address and half", "block", `{` + third + `}`, []string{full, "hien block 02:00:5e:10:00:03"}},
		{"another order, and blanks as some versions write them", "block", `{ "zone": "guest", "mac": "02:00:5e", "addr": "2001:db8::17" }`, []string{full, "hien block 02:00:5e:10:00:01"}},
		{"a half that is not the guest's", "block", `{"addr":"10.20.0.19","zone":"guest","mac":"06:00:5e"}`, []string{full}},
		{"a zone in which it is not", "block", `{"addr":"10.20.0.19","zone":"terrace","mac":"02:00:5e"}`, []string{full}},
		{"an address that nobody has", "block", `{"addr":"10.20.0.99","zone":"guest","mac":"02:00:5e"}`, []string{full}},
		{"a whole hardware address", "block", `{"addr":"10.20.0.19","zone":"guest","mac":"02:00:5e:10:00:03"}`, nil},
		{"no address", "block", `{"zone":"guest","mac":"02:00:5e"}`, nil},
		{"another option", "admit", `{"addr":"10.20.0.19","zone":"guest --config /tmp/x","mac":"02:00:5e"}`, nil},
		{"a pattern", "admit", `{"addr":".*","zone":"guest","mac":"02:00:5e"}`, nil},
		{"an argument within another's text", "admit", `{"addr":"10.20.0.19","zone":"\"zone\":\"guest\"","mac":"02:00:5e"}`, nil},
		{"a command of the shell", "admit", `{"addr":"10.20.0.19","zone":"$(reboot)","mac":"02:00:5e"}`, nil},
		{"one hour", "open", `{"hours":"1"}`, []string{"hien open 1h"}},
		{"a day", "open", `{"hours":"24"}`, nil},
		{"hours that are no text", "open", `{"hours":1}`, nil},
		{"no hours", "open", `{}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.t = t
			reply := r.call(c.method, c.args)
			if got := r.called(); !slices.Equal(got, c.want) {
				t.Errorf("the router did %q, want %q", got, c.want)
			}
			done := len(c.want) > 0 && !strings.HasPrefix(c.want[len(c.want)-1], full)
			if (reply["done"] == true) != done {
				t.Errorf("the answer is %v", reply)
			}
		})
	}
}

func TestScriptChecksWhatIsSaved(t *testing.T) {
	r := newRouter(t)
	if diff := cmp.Diff(map[string]any{"fine": true, "says": []any{"warning: " + noSender}}, r.call("check", "{}")); diff != "" {
		t.Errorf("settings in order (-want +got):\n%s", diff)
	}
	r.configure(settings + "\toption pass '1s'\n\toption unheard_of 'x'\n")
	got := r.call("check", "{}")
	says := fmt.Sprint(got["says"])
	if got["fine"] != false || !strings.Contains(says, "unheard_of") || strings.Contains(says, r.dir) || strings.Contains(says, "hien: ") {
		t.Errorf("settings with a mistake: %v", got)
	}
	if left, _ := filepath.Glob(filepath.Join(r.dir, "run", "*.*")); len(left) > 0 {
		t.Errorf("the script left %q", left)
	}
	info, err := os.Stat(filepath.Join(r.dir, "run"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others may look into the script's folder: %v %v", info.Mode(), err)
	}
}

// TestScriptLetsTheDoctorTakeHisTime has one who is not done yet: rpcd gets its
// answer at once, nobody starts a second one, and what he finds can be had when
// he has found it.
func TestScriptLetsTheDoctorTakeHisTime(t *testing.T) {
	r := newRouter(t)
	r.shop(well())
	hold := filepath.Join(r.dir, "doctor.hold")
	if err := syscall.Mkfifo(hold, 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"running": false}, r.call("findings", "{}")); diff != "" {
		t.Errorf("before anything (-want +got):\n%s", diff)
	}
	release := func() {
		t.Helper()
		f, err := os.OpenFile(hold, os.O_WRONLY, 0) // waits for the doctor
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := exec.Command(filepath.Join(r.dir, "bin", "flock"), filepath.Join(r.dir, "run", "lock"), "true").Run(); err != nil {
			t.Fatal(err)
		}
	}
	r.call("examine", `{"lang":"vi"}`)
	for range 2 {
		if diff := cmp.Diff(map[string]any{"running": true}, r.call("findings", "{}")); diff != "" {
			t.Errorf("while the doctor looks (-want +got):\n%s", diff)
		}
		r.call("examine", `{"lang":"en"}`)
	}
	release()
	found := r.call("findings", "{}")
	report, _ := found["report"].(map[string]any)
	if report["summary"] != sick().Summary || found["at"] == nil {
		t.Errorf("the doctor found %v", found)
	}
	if got, want := r.called(), []string{"hien doctor --json --lang vi"}; !slices.Equal(got, want) {
		t.Errorf("the router did %q, want %q", got, want)
	}

	r.fails("doctor", "it must run as root")
	r.call("examine", `{"lang":"xx; reboot"}`)
	release()
	if diff := cmp.Diff(map[string]any{"error": []any{"it must run as root"}}, r.call("findings", "{}")); diff != "" {
		t.Errorf("a doctor who cannot (-want +got):\n%s", diff)
	}
	if got, want := r.called(), []string{"hien doctor --json --lang en"}; !slices.Equal(got, want) {
		t.Errorf("the router did %q, want %q", got, want)
	}
}

// TestScriptListsItsMethods holds the script, the ACL and the pages to one
// another: what the pages declare is what the script has and the ACL allows,
// and nothing more is.
func TestScriptListsItsMethods(t *testing.T) {
	r := newRouter(t)
	var methods map[string]map[string]any
	if err := json.Unmarshal([]byte(r.rpcd("", "list")), &methods); err != nil {
		t.Fatal(err)
	}
	has := slices.Sorted(maps.Keys(methods))

	group := r.acl["luci-app-hien"]
	if len(r.acl) != 1 || group.Description == "" {
		t.Errorf("the ACL has the groups %q", slices.Sorted(maps.Keys(r.acl)))
	}
	var allowed []string
	for _, scopes := range []map[string]any{group.Read, group.Write} {
		if got := slices.Sorted(maps.Keys(scopes)); !slices.Equal(got, []string{"ubus", "uci"}) {
			t.Errorf("the ACL has the scopes %q", got)
		}
		if !cmp.Equal(scopes["uci"], []any{"hien"}) {
			t.Errorf("the ACL allows the configurations %v", scopes["uci"])
		}
		objects, _ := scopes["ubus"].(map[string]any)
		if len(objects) != 1 {
			t.Errorf("the ACL allows the objects %v", objects)
		}
		list, _ := objects["hien"].([]any)
		for _, m := range list {
			allowed = append(allowed, m.(string))
		}
	}
	slices.Sort(allowed)
	if !slices.Equal(has, allowed) {
		t.Errorf("the script has %q, the ACL allows %q", has, allowed)
	}

	b := openBrowser(t, r)
	b.show("", "en", owner)
	declared := ask[[]string](b, `Promise.all([ "hien.calls", "view.hien.overview", "view.hien.guests", "view.hien.settings" ].map(n => L.require(n))).then(() => declared.filter(d => d.startsWith("hien.")).map(d => d.slice(5)))`)
	slices.Sort(declared)
	if !slices.Equal(has, declared) {
		t.Errorf("the script has %q, the pages call %q", has, declared)
	}
	for name, text := range scripts(t) {
		for _, other := range []string{"rpc.declare", "fs.", "request.", "fetch(", "XMLHttpRequest", "eval(", "innerHTML", "http:", "https:", "'require fs'"} {
			if strings.Contains(text, other) && (other != "rpc.declare" || filepath.Base(name) != "calls.js") {
				t.Errorf("%s has %s", name, other)
			}
		}
	}
	// What can change something is not among what may be read.
	for _, m := range []string{"examine", "open", "shut", "admit", "revoke", "block", "unblock", "trust", "untrust"} {
		if r.may(viewer, "ubus", "hien", m) || !r.may(owner, "ubus", "hien", m) {
			t.Errorf("%s: a session that only reads may: %v", m, r.may(viewer, "ubus", "hien", m))
		}
	}
}
