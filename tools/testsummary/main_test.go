package main

import (
	"strings"
	"testing"
)

func TestSummarize(t *testing.T) {
	const good = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    noise\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`
	const none = `{"Action":"output","Package":"q","Output":"?   \tq\t[no test files]\n"}
{"Action":"skip","Package":"q"}
`
	const skip = `{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:1: no kernel\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
`
	const fail = `{"Action":"output","Package":"f","Test":"TestC","Output":"    c_test.go:1: got 1, want 2\n"}
{"Action":"fail","Package":"f","Test":"TestC"}
{"Action":"output","Package":"f","Output":"FAIL\n"}
{"Action":"output","Package":"f","Output":"FAIL\tf\t0.1s\n"}
{"Action":"fail","Package":"f"}
`
	for _, c := range []struct {
		name, in string
		noSkip   bool
		want     string
		fine     bool
	}{
		{"what passes is one line", good + none, true, "ok  \tp\t0.1s\n?   \tq\t[no test files]\n1 passed, 0 failed, 0 skipped\n", true},
		{"a skip is told", skip + good, false, "    b_test.go:1: no kernel\nok  \tp\t0.1s\n1 passed, 0 failed, 1 skipped\n", true},
		{"a skip is a failure where none is allowed", skip + good, true, "    b_test.go:1: no kernel\nok  \tp\t0.1s\n1 passed, 0 failed, 1 skipped\n", false},
		{"a failure is told whole", good + fail, true,
			"ok  \tp\t0.1s\n    c_test.go:1: got 1, want 2\nFAIL\nFAIL\tf\t0.1s\n1 passed, 1 failed, 0 skipped, packages failed: 1\n", false},
		{"a package that does not build", good + `{"ImportPath":"b","Action":"build-output","Output":"b.go:1: nonsense\n"}
{"Action":"output","Package":"b","Output":"FAIL\tb [build failed]\n"}
{"Action":"fail","Package":"b"}
`, true, "ok  \tp\t0.1s\nb.go:1: nonsense\nFAIL\tb [build failed]\n1 passed, 0 failed, 0 skipped, packages failed: 1\n", false},
		{"a test that was cut off", good + `{"Action":"output","Package":"d","Test":"TestD","Output":"started\n"}` + "\n", true,
			"ok  \tp\t0.1s\nd TestD was not ended:\nstarted\n1 passed, 0 failed, 0 skipped, packages failed: 1\n", false},
		{"the go command's own words", "go: no such module\n", true, "go: no such module\n0 passed, 0 failed, 0 skipped\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			fine, err := summarize(strings.NewReader(c.in), &out, c.noSkip)
			if err != nil {
				t.Fatal(err)
			}
			if out.String() != c.want || fine != c.fine {
				t.Errorf("got %v\n%s\nwant %v\n%s", fine, out.String(), c.fine, c.want)
			}
		})
	}
}
