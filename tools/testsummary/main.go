// Command testsummary reads what `go test -json` prints, and prints what a
// person wants to know: go test's line for each package, the whole output of
// what failed or was skipped, and at the end how many tests there were.
//
// It ends with status 1 when a test or a package failed, when there was no
// test at all, and with -noskip when a test was skipped.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	noSkip := flag.Bool("noskip", false, "a skipped test is a failure")
	flag.Parse()
	fine, err := summarize(os.Stdin, os.Stdout, *noSkip)
	if err != nil {
		fmt.Fprintf(os.Stderr, "testsummary: %v\n", err)
	}
	if err != nil || !fine {
		os.Exit(1)
	}
}

// An event is a line of test2json (go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string // of a build's output
	Test       string
	Output     string
}

// summarize reports whether all is fine.
func summarize(in io.Reader, out io.Writer, noSkip bool) (fine bool, err error) {
	var passed, failed, skipped, broken int
	said := make(map[string]*strings.Builder) // output of each package and test
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Action == "" {
			fmt.Fprintln(out, lines.Text()) // not test2json's: the go command's own words
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "build-output":
			fmt.Fprint(out, e.Output)
		case "output":
			if said[key] == nil {
				said[key] = new(strings.Builder)
			}
			said[key].WriteString(e.Output)
		case "pass", "fail", "skip":
			if e.Test == "" {
				broken += printPackage(out, e, said[key])
			} else {
				switch e.Action {
				case "pass":
					passed++
				case "fail":
					failed++
				case "skip":
					skipped++
				}
				if e.Action != "pass" && said[key] != nil {
					fmt.Fprint(out, said[key])
				}
			}
			delete(said, key)
		}
	}
	if err := lines.Err(); err != nil {
		return false, fmt.Errorf("read go test's output: %w", err)
	}
	// What was never ended was cut off: its output is what there is to see.
	for key, text := range said {
		fmt.Fprintf(out, "%s was not ended:\n%s", strings.TrimSpace(key), text)
		broken++
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped", passed, failed, skipped)
	if broken > 0 {
		fmt.Fprintf(out, ", packages failed: %d", broken)
	}
	fmt.Fprintln(out)
	return failed == 0 && broken == 0 && passed > 0 && (skipped == 0 || !noSkip), nil
}

// printPackage prints go test's closing line of a package, and all that it
// said outside of its tests when it failed. It answers how many failed.
func printPackage(out io.Writer, e event, said *strings.Builder) int {
	if said == nil {
		said = new(strings.Builder)
	}
	if e.Action == "fail" {
		fmt.Fprint(out, said)
		if !strings.Contains(said.String(), "FAIL\t") { // it never came to go test's line
			fmt.Fprintf(out, "FAIL\t%s\n", e.Package)
		}
		return 1
	}
	text := strings.TrimSuffix(said.String(), "\n")
	fmt.Fprintln(out, text[strings.LastIndexByte(text, '\n')+1:])
	return 0
}
