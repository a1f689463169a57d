package world

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// sendBatch posts a body as a courier does and returns what was answered.
func sendBatch(t *testing.T, url, key, body string, header ...string) (status int, answer string, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(soon(t), "POST", url+"/v1/batch", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(key, "")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

func batchOf(key string, ids ...string) string {
	var items []string
	for _, id := range ids {
		items = append(items, fmt.Sprintf(`{"type":"track","event":"Store Visited","userId":"u","messageId":%q}`, id))
	}
	return fmt.Sprintf(`{"writeKey":%q,"sentAt":"2026-01-01T00:00:00Z","batch":[%s]}`, key, strings.Join(items, ","))
}

func TestEachPlatformAnswersInItsOwnWay(t *testing.T) {
	large := func(n int) string { return batchOf(DefaultWriteKey, "m1") + strings.Repeat(" ", n) }
	for _, c := range []struct {
		name     string
		flavour  Flavour
		key      string
		body     string
		status   int
		answer   string
		accepted int
	}{
		{"Segment takes a batch", Segment, DefaultWriteKey, batchOf(DefaultWriteKey, "m1", "m2"), 200, `{"success":true}`, 2},
		{"Segment hides a wrong key", Segment, "wrong", batchOf("wrong", "m1"), 200, `{"success":true}`, 0},
		{"Segment hides a bad item", Segment, DefaultWriteKey, batchOf(DefaultWriteKey, "m1", "poison"), 200, `{"success":true}`, 1},
		{"Segment finds 500 KB too large", Segment, DefaultWriteKey, large(500 << 10), 400, "too large", 0},
		{"RudderStack takes a batch", RudderStack, DefaultWriteKey, batchOf(DefaultWriteKey, "m1", "m2"), 200, "OK", 2},
		{"RudderStack refuses a wrong key", RudderStack, "wrong", batchOf(DefaultWriteKey, "m1"), 401, "Invalid write key", 0},
		{"RudderStack does not read the key in the body", RudderStack, "", batchOf(DefaultWriteKey, "m1"), 401, "Failed to read writeKey", 0},
		{"RudderStack refuses a batch for one bad item", RudderStack, DefaultWriteKey, batchOf(DefaultWriteKey, "m1", "poison"), 400, "", 0},
		{"RudderStack refuses an event of nobody", RudderStack, DefaultWriteKey, `{"batch":[{"type":"track","event":"e","messageId":"m1"}]}`, 400, "neither", 0},
		{"RudderStack finds 4,000 KiB too large", RudderStack, DefaultWriteKey, large(4000 << 10), 413, "", 0},
		{"Jitsu takes a batch", Jitsu, DefaultWriteKey, batchOf(DefaultWriteKey, "m1", "m2"), 200, `{"ok":true,"receivedEvents":2,"okEvents":2}`, 2},
		{"Jitsu reads the key in the body", Jitsu, "", batchOf(DefaultWriteKey, "m1"), 200, `"ok":true`, 1},
		{"Jitsu refuses a wrong key", Jitsu, "wrong", batchOf(DefaultWriteKey, "m1"), 401, `"ok":false`, 0},
		{"Jitsu names a bad item", Jitsu, DefaultWriteKey, batchOf(DefaultWriteKey, "m1", "poison"), 200, `{"ok":false,"receivedEvents":2,"okEvents":1,"errors":["Message ID: poison: invalid event"]}`, 1},
		{"Jitsu finds 1 MiB too large", Jitsu, DefaultWriteKey, large(1 << 20), 413, "", 0},
		{"Jitsu refuses what is not JSON", Jitsu, DefaultWriteKey, `{"writeKey"`, 400, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			cdp := NewCDP(c.flavour)
			cdp.Poison("poison")
			srv := httptest.NewServer(cdp)
			defer srv.Close()
			status, answer, err := sendBatch(t, srv.URL, c.key, c.body)
			if err != nil || status != c.status || !strings.Contains(answer, c.answer) {
				t.Errorf("answer = %d %q, %v; want %d %q", status, answer, err, c.status, c.answer)
			}
			if got := len(cdp.Events()); got != c.accepted {
				t.Errorf("%d events accepted, want %d", got, c.accepted)
			}
			if got := cdp.Batches(); len(got) != 1 || got[0].Status != c.status {
				t.Errorf("batches = %+v, want one with status %d", got, c.status)
			}
		})
	}
}

func TestCDPCountsDeliveriesAndFollowsScripts(t *testing.T) {
	cdp := NewCDP(Segment)
	srv := httptest.NewServer(cdp)
	defer srv.Close()
	cdp.Next(
		Status(http.StatusServiceUnavailable),
		RetryAfter(7),
		cdp.Hangup(),
		func(http.ResponseWriter, Batch) bool { return false },
	)
	send := func(ids ...string) (int, error) {
		status, _, err := sendBatch(t, srv.URL, DefaultWriteKey, batchOf(DefaultWriteKey, ids...))
		return status, err
	}
	for i, want := range []int{503, 429, 0, 200} {
		if got, err := send("a", "b"); got != want || (err != nil) != (want == 0) {
			t.Errorf("batch %d: %d, %v; want %d", i, got, err, want)
		}
	}
	cdp.Down()
	if status, err := send("c"); err == nil {
		t.Errorf("status = %d while it is down, want no answer", status)
	}
	if err := cdp.Up(); err != nil {
		t.Fatal(err)
	}
	if status, err := send("c"); status != 200 {
		t.Errorf("status = %d, %v; want 200", status, err)
	}
	for id, want := range map[string]int{"a": 2, "b": 2, "c": 1, "d": 0} {
		if got := cdp.Deliveries(id); got != want {
			t.Errorf("deliveries of %s = %d, want %d", id, got, want)
		}
	}
	events, err := cdp.WaitEvents(soon(t), 3)
	if err != nil || len(events) != 3 || messageID(events[2]) != "c" {
		t.Errorf("events = %s, %v; want a, b, c", events, err)
	}
	batches, err := cdp.WaitBatches(soon(t), 5)
	if err != nil || len(batches) != 5 || batches[2].Status != 0 || batches[1].Status != 429 {
		t.Errorf("batches = %+v, %v; want five, the third hung up on", batches, err)
	}
}

func TestCDPTakesGzipWhereItsFlavourDoes(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, batchOf(DefaultWriteKey, "m1"))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for flavour, want := range map[Flavour]int{Segment: 400, RudderStack: 200, Jitsu: 200} {
		srv := httptest.NewServer(NewCDP(flavour))
		if got, answer, err := sendBatch(t, srv.URL, DefaultWriteKey, packed.String(), "Content-Encoding", "gzip"); got != want {
			t.Errorf("%s: %d %q, %v; want %d", flavour, got, answer, err, want)
		}
		srv.Close()
	}
}

func TestTheDeletionAPIAnswersAsItsPlatformDoes(t *testing.T) {
	const segment, rudder = `{"regulationType":"SUPPRESS_WITH_DELETE","subjectType":"USER_ID","subjectIds":["u"]}`,
		`{"regulationType":"suppress_with_delete","users":[{"userId":"u"}]}`
	for _, test := range []struct {
		name, path, token, body string
		flavour                 Flavour
		want                    int
		says                    string
	}{
		{"Segment takes it", "/regulations", DefaultEraseToken, segment, Segment, 200, `{"data":{"regulateId":"reg_1"}}`},
		{"Segment: another's token", "/regulations", "wrong", segment, Segment, 403, "forbidden"},
		{"Segment: another path", "/v2/regulations", DefaultEraseToken, segment, Segment, 404, ""},
		{"Segment: an unknown type", "/regulations", DefaultEraseToken, rudder, Segment, 422, "validation-failure"},
		{"Segment: nobody", "/regulations", DefaultEraseToken, `{"regulationType":"SUPPRESS_WITH_DELETE","subjectType":"USER_ID"}`, Segment, 422, "subjectIds"},
		{"Segment: no JSON", "/regulations", DefaultEraseToken, `{`, Segment, 400, "JSON"},
		{"RudderStack takes it", "/v2/regulations", DefaultEraseToken, rudder, RudderStack, 200, `"id":"regulation-1"`},
		{"RudderStack: another's token", "/v2/regulations", "wrong", rudder, RudderStack, 401, "Unauthorized"},
		{"RudderStack: an unknown type", "/v2/regulations", DefaultEraseToken, segment, RudderStack, 400, "regulationType"},
		{"RudderStack: nobody", "/v2/regulations", DefaultEraseToken, `{"regulationType":"suppress_with_delete","users":[{}]}`, RudderStack, 400, "userId"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cdp := NewCDP(test.flavour)
			srv := httptest.NewServer(cdp)
			defer srv.Close()
			if _, _, err := sendBatch(t, srv.URL, DefaultWriteKey, batchOf(DefaultWriteKey, "m1")); err != nil {
				t.Fatal(err)
			}
			r, err := http.NewRequest("POST", srv.URL+test.path, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+test.token)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			answer, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != test.want || !strings.Contains(string(answer), test.says) {
				t.Errorf("got %d %s, want %d %s", resp.StatusCode, answer, test.want, test.says)
			}
			taken := test.want == 200
			if (len(cdp.Regulations()) == 1) != taken || cdp.Suppressed("u") != taken || (len(cdp.Events()) == 0) != taken {
				t.Errorf("regulations %v, suppressed %t, %d events; want that it is carried out: %t", cdp.Regulations(), cdp.Suppressed("u"), len(cdp.Events()), taken)
			}
		})
	}
}
