package templates

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"text/template/parse"
)

// escapers are html/template's chains of escapers and what writes the same of
// a string.
var escapers = map[string]string{
	"htmlescaper":                         "escape(b, %s)",
	"rcdataescaper":                       "escape(b, %s)",
	"attrescaper":                         "escape(b, %s)",
	"urlfilter urlnormalizer attrescaper": "escape(b, link(%s))",
}

// write writes a value that is shown.
func (c *compiler) write(n *parse.ActionNode, s *scope) {
	var chain []string
	cmds := n.Pipe.Cmds
	for i, cmd := range cmds {
		if f, ok := cmd.Args[0].(*parse.IdentifierNode); ok && f.Ident == "ours" {
			for _, escaper := range cmds[i+1:] {
				chain = append(chain, strings.TrimPrefix(escaper.Args[0].String(), "_html_template_"))
			}
			cmds = cmds[:i]
			break
		}
	}
	v := c.whole(n, c.commands(cmds, s))
	escaper := strings.Join(chain, " ")
	if v.typ == reflect.TypeFor[CSS]() && escaper == "cssvaluefilter" || v.typ == reflect.TypeFor[SVG]() && escaper == "htmlescaper" {
		c.line("b.WriteString(string(%s))", v.code)
		return
	}
	if v.typ == reflect.TypeFor[CSS]() || v.typ == reflect.TypeFor[SVG]() {
		fail(n, "%s does not stand here", v.typ)
	}
	write, ok := escapers[escaper]
	if !ok {
		fail(n, "the compiler does not know how this is escaped (%s): quote the attribute, or teach it in escapers", escaper)
	}
	c.line(write, c.printed(n, v))
}

// printed is the string that fmt.Sprint makes of a value.
func (c *compiler) printed(n parse.Node, v value) string {
	is := func(methods reflect.Type) bool { return v.typ.Implements(methods) }
	kind := v.typ.Kind()
	switch {
	case kind == reflect.Interface, kind == reflect.Pointer:
		// Where it is nil html/template has rules of its own.
	case is(reflect.TypeFor[fmt.Formatter]()), is(reflect.TypeFor[error]()):
		c.uses["fmt"] = true
		return "fmt.Sprint(" + v.code + ")"
	case is(reflect.TypeFor[fmt.Stringer]()):
		return v.code + ".String()"
	case v.typ == reflect.TypeFor[string]():
		return v.code
	case kind == reflect.String:
		return "string(" + v.code + ")"
	case v.typ == reflect.TypeFor[int]():
		c.uses["strconv"] = true
		return "strconv.Itoa(" + v.code + ")"
	case kind >= reflect.Bool && kind <= reflect.Float64:
		c.uses["fmt"] = true
		return "fmt.Sprint(" + v.code + ")"
	}
	fail(n, "a %s cannot be shown", v.typ)
	return ""
}

// truth is the condition that a value is not empty.
func (c *compiler) truth(n parse.Node, v value) string {
	switch kind := v.typ.Kind(); {
	case kind == reflect.Bool:
		return v.code
	case kind == reflect.String, kind == reflect.Slice, kind == reflect.Map:
		return "len(" + v.code + ") != 0"
	case kind >= reflect.Int && kind <= reflect.Float64:
		return v.code + " != 0"
	}
	fail(n, "whether a %s is empty is not known to the compiler", v.typ)
	return ""
}

// fits reports whether Go takes the value where that type is wanted.
func (v value) fits(wanted reflect.Type) bool {
	if kind := wanted.Kind(); v.literal && kind != reflect.Interface {
		return v.typ.Kind() == kind || v.typ.Kind() == reflect.Int && kind >= reflect.Int && kind <= reflect.Int64
	}
	return v.typ.AssignableTo(wanted)
}

func (c *compiler) value(n *parse.PipeNode, s *scope) value {
	return c.whole(n, c.commands(n.Cmds, s))
}

// whole wants a value that is more than yes or no.
func (c *compiler) whole(n parse.Node, v value) value {
	if v.yesNo {
		fail(n, "and, or of what is no bool is a condition here, and no value")
	}
	return v
}

// commands are a pipeline: each has the value of the one before it as its
// last argument.
func (c *compiler) commands(cmds []*parse.CommandNode, s *scope) value {
	var last []value
	for _, cmd := range cmds {
		last = []value{c.command(cmd, last, s)}
	}
	return last[0]
}

func (c *compiler) command(n *parse.CommandNode, last []value, s *scope) value {
	args := func() (all []value) {
		for _, a := range n.Args[1:] {
			all = append(all, c.argument(a, s))
		}
		return append(all, last...)
	}
	switch first := n.Args[0].(type) {
	case *parse.IdentifierNode:
		return c.function(n, first.Ident, args())
	case *parse.FieldNode:
		return c.chain(n, c.use(s.dot), first.Ident, args())
	case *parse.VariableNode:
		return c.chain(n, c.use(c.variable(n, first.Ident[0], s)), first.Ident[1:], args())
	case *parse.ChainNode:
		return c.chain(n, c.argument(first.Node, s), first.Field, args())
	default:
		if len(n.Args) > 1 || last != nil {
			fail(n, "what is no function has no arguments")
		}
		return c.argument(first, s)
	}
}

func (c *compiler) use(l *local) value {
	l.used = true
	return value{code: l.name, typ: l.typ}
}

func (c *compiler) variable(n parse.Node, name string, s *scope) *local {
	l, ok := s.vars[name]
	if !ok {
		fail(n, "there is no %s here", name)
	}
	return l
}

func (c *compiler) argument(n parse.Node, s *scope) value {
	switch n := n.(type) {
	case *parse.DotNode:
		return c.use(s.dot)
	case *parse.PipeNode:
		return c.commands(n.Cmds, s)
	case *parse.StringNode:
		return value{code: strconv.Quote(n.Text), typ: reflect.TypeFor[string](), literal: true}
	case *parse.BoolNode:
		return value{code: n.String(), typ: reflect.TypeFor[bool](), literal: true}
	case *parse.NumberNode:
		if n.IsInt {
			return value{code: strconv.FormatInt(n.Int64, 10), typ: reflect.TypeFor[int](), literal: true}
		}
	case *parse.FieldNode:
		return c.chain(n, c.use(s.dot), n.Ident, nil)
	case *parse.VariableNode:
		return c.chain(n, c.use(c.variable(n, n.Ident[0], s)), n.Ident[1:], nil)
	case *parse.ChainNode:
		return c.chain(n, c.argument(n.Node, s), n.Field, nil)
	case *parse.IdentifierNode:
		return c.function(n, n.Ident, nil)
	}
	fail(n, "the compiler does not know this")
	return value{}
}

// chain is .A.B.C of a value; the last is a method if there are arguments.
func (c *compiler) chain(n parse.Node, v value, names []string, args []value) value {
	for i, name := range names {
		if i == len(names)-1 {
			v = c.member(n, v, name, args)
			args = nil
		} else {
			v = c.member(n, v, name, nil)
		}
	}
	if args != nil {
		fail(n, "what is no method has no arguments")
	}
	return v
}

func (c *compiler) member(n parse.Node, v value, name string, args []value) value {
	code := v.code + "." + name
	if m, ok := v.typ.MethodByName(name); ok {
		// The first parameter is the value itself, unless it is an interface.
		return c.called(n, code, m.Type, args, v.typ.Kind() != reflect.Interface)
	}
	if v.typ.Kind() == reflect.Struct {
		if f, ok := v.typ.FieldByName(name); ok && f.IsExported() {
			if args != nil {
				fail(n, "%s is a field, and has no arguments", name)
			}
			return value{code: code, typ: f.Type}
		}
	}
	fail(n, "%s has no field and no method %s", v.typ, name)
	return value{}
}

// called is the call of a function; the arguments must be of its types.
func (c *compiler) called(n parse.Node, code string, f reflect.Type, args []value, receiver bool) value {
	if f.NumOut() != 1 {
		fail(n, "a method that is called here gives one value, and no error")
	}
	in := make([]reflect.Type, 0, f.NumIn())
	for t := range f.Ins() {
		in = append(in, t)
	}
	if receiver {
		in = in[1:]
	}
	fixed := len(in)
	if f.IsVariadic() {
		fixed--
	}
	if len(args) < fixed || len(args) > fixed && !f.IsVariadic() {
		fail(n, "%d arguments: want %d", len(args), fixed)
	}
	var list []string
	for i, a := range args {
		var wanted reflect.Type
		if i < fixed {
			wanted = in[i]
		} else {
			wanted = in[fixed].Elem()
		}
		if !c.whole(n, a).fits(wanted) {
			fail(n, "argument %d is a %s: want a %s", i+1, a.typ, wanted)
		}
		list = append(list, a.code)
	}
	return value{code: fmt.Sprintf("%s(%s)", code, strings.Join(list, ", ")), typ: f.Out(0)}
}

// comparisons are the operators behind the names of functions.
var comparisons = map[string]string{"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}

// function is the call of one of text/template's functions.
func (c *compiler) function(n parse.Node, name string, args []value) value {
	yes := reflect.TypeFor[bool]()
	operator, compares := comparisons[name]
	switch {
	case (name == "and" || name == "or") && len(args) > 0, name == "not" && len(args) == 1:
		var truths []string
		v := value{typ: yes}
		for _, a := range args {
			truths = append(truths, c.truth(n, a))
			v.yesNo = v.yesNo || name != "not" && a.typ != yes
		}
		switch name {
		case "and":
			v.code = "(" + strings.Join(truths, " && ") + ")"
		case "or":
			v.code = "(" + strings.Join(truths, " || ") + ")"
		case "not":
			v.code = "!" + truths[0]
			if empty, ok := strings.CutSuffix(truths[0], " != 0"); ok {
				v.code = "(" + empty + " == 0)"
			}
		}
		return v
	case compares && len(args) == 2:
		a, b := c.whole(n, args[0]), c.whole(n, args[1])
		basic := a.typ.Kind() == reflect.String || a.typ.Kind() >= reflect.Int && a.typ.Kind() <= reflect.Float64
		if !basic && !(a.typ.Kind() == reflect.Bool && (name == "eq" || name == "ne")) || !a.literal && !b.fits(a.typ) || a.literal && !a.fits(b.typ) {
			fail(n, "the compiler does not compare a %s with a %s", a.typ, b.typ)
		}
		return value{code: fmt.Sprintf("(%s %s %s)", a.code, operator, b.code), typ: yes}
	case name == "len" && len(args) == 1:
		switch args[0].typ.Kind() {
		case reflect.String, reflect.Slice, reflect.Map, reflect.Array:
			return value{code: "len(" + args[0].code + ")", typ: reflect.TypeFor[int]()}
		}
	case name == "print" && len(args) > 0:
		c.uses["fmt"] = true
		return c.called(n, "fmt.Sprint", reflect.TypeOf(fmt.Sprint), args, false)
	}
	fail(n, "the compiler does not know %s with %d such arguments", name, len(args))
	return value{}
}
