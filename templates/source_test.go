package templates

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	text "text/template"
	"text/template/parse"
)

// pageTypes are the pages: html/NAME.html and the type that it shows.
var pageTypes = map[string]any{
	"code":    Code{},
	"data":    Data{},
	"erased":  Gone{},
	"mine":    Mine{},
	"notice":  NoticePage{},
	"number":  Number{},
	"online":  Online{},
	"outside": Outside{},
	"receipt": Receipt{},
	"splash":  Splash{},
	"trouble": Trouble{},
	"wording": Wording{},
}

// parsePage reads a page and its frame as html/template does, and has it
// escape them for that type of data.
func parsePage(data any, files ...string) (*template.Template, error) {
	t := template.New("").Funcs(template.FuncMap{"ours": ours})
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if _, err := t.Parse(unindent(string(source))); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	for _, defined := range t.Templates() {
		if defined.Tree != nil {
			sayWhatIsOurs(defined.Tree, defined.Tree.Root)
		}
	}
	// The first execution escapes; that there is not much to show is no error.
	var refused *template.Error
	if err := t.ExecuteTemplate(io.Discard, "frame", data); errors.As(err, &refused) {
		return nil, err
	}
	return t, nil
}

// ours gives html/template its own names of the types that are written as
// they are.
func ours(v any) any {
	switch v := v.(type) {
	case CSS:
		return template.CSS(v)
	case SVG:
		return template.HTML(v)
	}
	return v
}

// sayWhatIsOurs lets every value that is written go through ours.
func sayWhatIsOurs(tree *parse.Tree, list *parse.ListNode) {
	if list == nil {
		return
	}
	branch := func(n *parse.BranchNode) {
		sayWhatIsOurs(tree, n.List)
		sayWhatIsOurs(tree, n.ElseList)
	}
	for _, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			if len(n.Pipe.Decl) == 0 {
				n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos,
					Args: []parse.Node{parse.NewIdentifier("ours").SetTree(tree).SetPos(n.Pos)}})
			}
		case *parse.IfNode:
			branch(&n.BranchNode)
		case *parse.RangeNode:
			branch(&n.BranchNode)
		case *parse.WithNode:
			branch(&n.BranchNode)
		}
	}
}

// escapedSet is the set in which html/template keeps what it has made of a
// page: a template that stands in a title has another body there than one
// that stands in text.
func escapedSet(t *template.Template) *text.Template {
	return (*text.Template)(reflect.ValueOf(t).Elem().FieldByName("text").UnsafePointer())
}

var parsed sync.Map // by the page's name

// renderSource renders a page as html/template does from the sources.
func renderSource(tb testing.TB, data any) string {
	tb.Helper()
	name := pageOf(tb, data)
	t, ok := parsed.Load(name)
	if !ok {
		var err error
		if t, err = parsePage(data, pageFiles(name)...); err != nil {
			tb.Fatal(err)
		}
		parsed.Store(name, t)
	}
	var b bytes.Buffer
	if err := t.(*template.Template).ExecuteTemplate(&b, "frame", data); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

const framePath = "html/frame.html"

// pageFiles are a page's sources.
func pageFiles(name string) []string {
	if _, ok := pageTypes[name]; ok {
		return []string{framePath, "html/" + name + ".html"}
	}
	return []string{framePath, "testdata/" + name + ".html"}
}

func pageOf(tb testing.TB, data any) string {
	tb.Helper()
	for _, pages := range []map[string]any{pageTypes, probeTypes} {
		for name, v := range pages {
			if reflect.TypeOf(v) == reflect.TypeOf(data) {
				return name
			}
		}
	}
	tb.Fatalf("%T is no page: enter it in pageTypes", data)
	return ""
}

// unindent takes the indentation and line breaks out of a page: they would
// be a seventh of what is sent.
func unindent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimSpace(line))
	}
	return b.String()
}

var (
	cssComment = regexp.MustCompile(`(?s)/\*.*?\*/`)
	cssSpace   = regexp.MustCompile(`\s+`)
	cssTight   = regexp.MustCompile(`\s*([{};,])\s*`)
)

// squeeze takes out of a style what only its readers need.
func squeeze(css string) string {
	css = cssComment.ReplaceAllString(css, "")
	css = cssSpace.ReplaceAllString(css, " ")
	css = cssTight.ReplaceAllString(css, "$1")
	// ": " and a combinator's spaces; " :" would be a descendant's.
	return strings.TrimSpace(strings.NewReplacer(";}", "}", ": ", ":", " > ", ">", " ~ ", "~", " + ", "+").Replace(css))
}
