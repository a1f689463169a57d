package setup

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// An Owner is asked and told, on a terminal.
type Owner struct {
	Language Language
	Yes      bool // nothing is asked: what is proposed is taken

	out   io.Writer
	lines <-chan string // closed when nothing more can be heard
}

// NewOwner speaks to the owner by out, and hears him by in, of which every
// line is read for as long as the process lives.
func NewOwner(in io.Reader, out io.Writer, l Language, yes bool) *Owner {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(in); s.Scan(); {
			lines <- s.Text()
		}
	}()
	return &Owner{Language: l, Yes: yes, out: out, lines: lines}
}

// columns is how wide the terminal is taken to be.
const columns = 80

// tell writes text in lines that fit. That nobody can read it is no reason to
// stop.
func (o *Owner) tell(first, rest, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintln(o.out, wrap(first, rest, strings.TrimRight(line, "\n")))
		first = rest
	}
}

// Tell says a phrase.
func (o *Owner) say(p Phrase, args ...any) { o.tell("", "", o.Language.say(p, args...)) }

// wrap breaks a text into lines that begin with first and rest.
func wrap(first, rest, text string) string {
	var b strings.Builder
	b.WriteString(first)
	at := utf8.RuneCountInString(first)
	fresh := true
	if lead := len(text) - len(strings.TrimLeft(text, " ")); lead > 0 {
		b.WriteString(text[:lead])
		at += lead
	}
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case fresh:
		case at+1+n > columns:
			b.WriteString("\n" + rest)
			at = utf8.RuneCountInString(rest)
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
		fresh = false
	}
	return b.String()
}

// hear waits for a line.
func (o *Owner) hear(ctx context.Context) (string, error) {
	select {
	case line, heard := <-o.lines:
		if !heard {
			return "", refuse(noEar)
		}
		return strings.TrimSpace(line), nil
	case <-ctx.Done():
		return "", refuse(Untouched)
	}
}

// Answer gets an answer to every question: from given, by flag, or from the
// owner, who is asked again until it is one that is allowed.
func (o *Owner) Answer(ctx context.Context, q *Questions, given map[string]string) error {
	for _, f := range Fields() {
		value, has := given[f.Flag]
		switch applies := f.applies(q); {
		case has && !applies:
			return refuse(notHere, f.Flag)
		case has:
			if err := f.take(q, value); err != nil {
				return fmt.Errorf("--%s: %w", f.Flag, err)
			}
			continue
		case !applies, f.known != nil && f.known(q):
			continue
		}
		if err := o.ask(ctx, q, f); err != nil {
			return err
		}
	}
	return nil
}

func (o *Owner) ask(ctx context.Context, q *Questions, f *Field) error {
	proposed := f.answer(q, o.Language)
	if o.Yes {
		return f.take(q, proposed)
	}
	fmt.Fprintln(o.out)
	o.tell("", "", f.question(q, o.Language))
	for {
		o.prompt(proposed)
		line, err := o.hear(ctx)
		if err != nil {
			return err
		}
		if line == "" {
			line = proposed
		}
		err = f.take(q, line)
		if err == nil {
			return nil
		}
		o.complain(err)
	}
}

func (o *Owner) prompt(proposed string) {
	if proposed != "" {
		fmt.Fprintf(o.out, "[%s] ", proposed)
	}
	fmt.Fprint(o.out, "> ")
}

// complain says what was wrong with an answer.
func (o *Owner) complain(err error) { o.tell("  ", "  ", o.Words(err)) }

// Words are an error in the owner's language, where it is a refusal.
func (o *Owner) Words(err error) string { return o.Language.Words(err) }

// yes asks a question that is answered by yes or no.
func (o *Owner) yes(ctx context.Context, proposed bool, p Phrase, args ...any) (bool, error) {
	if o.Yes {
		return true, nil
	}
	o.say(p, args...)
	for {
		o.prompt(o.Language.yesNo(proposed))
		line, err := o.hear(ctx)
		if err != nil {
			return false, err
		}
		if line == "" {
			return proposed, nil
		}
		yes, ok := ParseYes(line)
		if ok {
			return yes, nil
		}
		o.complain(refuse(badYes))
	}
}

// GoAhead tells what a plan is, and asks whether it shall be carried out.
func (o *Owner) GoAhead(ctx context.Context, p *Plan, q *Questions) (bool, error) {
	fmt.Fprintln(o.out)
	o.tellNotes(p)
	if !q.router.OpenWrt {
		return o.yes(ctx, true, goPlain)
	}
	return o.yes(ctx, true, goAhead, len(p.Changes))
}

func (o *Owner) tellNotes(p *Plan) {
	for _, n := range p.Notes {
		o.tell("- ", "  ", n.In(o.Language))
	}
}

// Notes tells what the owner should know of a plan that is not carried out.
func (o *Owner) Notes(p *Plan) { o.tellNotes(p) }

// KeepSeal shows the private half of a seal key, and waits until the owner has
// written it down.
func (o *Owner) KeepSeal(ctx context.Context, unseal string) error {
	fmt.Fprintln(o.out)
	o.say(sealMade)
	fmt.Fprintf(o.out, "\n    %s\n\n", unseal)
	for {
		kept, err := o.yes(ctx, false, sealKept)
		if err != nil || kept {
			return err
		}
	}
}

// GoUndo asks whether everything shall be taken out.
func (o *Owner) GoUndo(ctx context.Context, p *Plan) (bool, error) {
	return o.yes(ctx, false, goUndo, len(p.Changes))
}

// tellSeen tells how the guests are served. What no guest has seen is not
// called served.
func (o *Owner) tellSeen(s Seen) {
	switch {
	case len(s.Bad) > 0:
		o.say(notServed)
	case len(s.Unproven) > 0:
		o.say(unproven)
	default:
		o.say(served)
	}
	for _, text := range slices.Concat(s.Bad, s.Unproven) {
		o.tell("- ", "  ", text)
	}
}

// Decide tells how the guests are served, and waits for the owner's word. When
// he is not to be asked, a setup is kept in which nothing is bad. The error is
// ErrReturned when everything was put back.
func (o *Owner) Decide(ctx context.Context, t *Trial) error {
	fmt.Fprintln(o.out)
	o.tellSeen(t.Seen)
	answers := make(chan bool, 1)
	if o.Yes {
		answers <- len(t.Seen.Bad) == 0
		return t.Await(ctx, answers)
	}
	o.say(keepIt, int(Patience.Minutes()))
	o.prompt("")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		o.decide(ctx, answers)
	}()
	err := t.Await(ctx, answers)
	cancel()
	<-heard
	return err
}

// decide hears yes or no, and closes answers when nothing more can be heard.
func (o *Owner) decide(ctx context.Context, answers chan<- bool) {
	for {
		line, err := o.hear(ctx)
		if err != nil {
			close(answers)
			return
		}
		if yes, ok := ParseYes(line); ok {
			answers <- yes
			return
		}
		o.complain(refuse(badYes))
		o.prompt("")
	}
}

// Say says a phrase.
func (o *Owner) Say(p Phrase, args ...any) { o.say(p, args...) }
