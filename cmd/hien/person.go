package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/control"
)

const personHelp = `
For people who ask by telephone, on paper or at the counter. The person is named
by a SUBJECT, by the number, or by a receipt's link. The last two are read from
standard input and never from the command line, where others on the router could
see them.

Each of export, withdraw and erase answers a request: the one that --request
names, or one that is opened and closed at once (--by says how it came: counter,
phone or paper). So what was done, and in time, can be shown. Make sure first
that it is the person who asks.
`

const personLocateHelp = personHelp + `
Example:
    echo "0912 345 678" | hien person locate
`

const personExportHelp = personHelp + `
It writes everything that is kept of the person as JSON, to standard output.

Example:
    hien person export 5f0c2a9e4b7d41c38a6e0d9b1f2e3c4d > person.json
`

const receiptExportHelp = `
It writes the latest consent of a person as a receipt for other programs, to
standard output. The one format so far is kantara-1.1, the Kantara Initiative's
Consent Receipt 1.1.0: the file is made to a JSON Schema of that specification.
The person is named as for hien person.

Who asked, who receives the data and which law it was is read out of the notice
that the person was shown, and the key is the one that signed the answer. Where
the policy that made the notice is not there any more, or has other words by
now, the file has the names of today, and a note says so; the notice itself is
printed by hien notice show --hash, with the hash in policyUrl.

Example:
    hien receipt export --format kantara-1.1 5f0c2a9e4b7d41c38a6e0d9b1f2e3c4d
`

const personWithdrawHelp = personHelp + `
Without --purpose everything is taken back. It can be given several times. Who
withdrew everything before and agreed again is known by two subjects: by either
of them what stands is taken back.

Example:
    echo "0912 345 678" | hien person withdraw --purpose contact_sms --by phone
`

const personEraseHelp = personHelp + `
It cannot be taken back. The CDP is told before anything else is sent.

Example:
    echo "0912 345 678" | hien person erase --by paper --request 7
`

const personRequestHelp = `
It takes a request that cannot be carried out at once, and starts its legal
clock: KIND is withdraw, access, correct or erase. Name nobody here: keep the
paper, or note the number elsewhere.

Example:
    hien person request erase --by phone
`

const personAnswerHelp = `
It notes that the person was told that the request has come (acknowledge), that
it takes longer (extend, once, with a reason) or that it is refused (with a
reason, which the law must allow). What was done by other means, such as a
number that the person has given anew, is closed with done.

Examples:
    hien person answer 7 acknowledge
    hien person answer 7 extend waiting for the processor in Singapore
`

const personRequestsHelp = `
It lists what people asked for: the open requests first, the most urgent at the
top, with the day by which each must be carried out (Vietnamese working days and
holidays are counted where the law does so).

Example:
    hien person requests --json
`

// How a subject is written, and a receipt's secret with or without its link.
var (
	aSubject = regexp.MustCompile(`^[0-9a-f]{32}$`)
	aReceipt = regexp.MustCompile(`(?:^|/)([a-z2-7]{26})$`)
)

// person is `hien person locate|export|withdraw|erase`.
func person(do string) func(context.Context, *call) error {
	return func(ctx context.Context, c *call) error {
		o := control.PersonOrder{Do: do, Who: who()}
		format := "kantara-1.1"
		if do == "receipt" {
			c.flags.StringVar(&format, "format", format, "the `FORMAT` of the receipt: kantara-1.1")
		} else if do != "locate" {
			c.flags.Int64Var(&o.Request, "request", 0, "the `NUMBER` of the request that this answers (default: a new one)")
			c.flags.StringVar(&o.Channel, "by", "counter", "the `WAY` the request came: counter, phone or paper")
		}
		if do == "withdraw" {
			c.flags.Func("purpose", "a `PURPOSE` to take back; without any, all", func(text string) error {
				p, err := consent.ParsePurpose(text)
				o.Purposes = append(o.Purposes, p)
				return err
			})
		}
		if err := c.parse(-1); err != nil {
			return err
		}
		if format != "kantara-1.1" {
			return c.misused("the one format is kantara-1.1")
		}
		switch len(c.words) {
		case 0:
			line, err := readNumber(os.Stdin, c.err)
			if err != nil {
				return err
			}
			if o.Receipt = receiptIn(line); o.Receipt == "" {
				o.Number = line
			}
		case 1:
			if !aSubject.MatchString(c.words[0]) {
				return c.misused("that is no subject. A number or a receipt's link does not belong on the command line, where others can see it: give it on standard input")
			}
			o.Subject = consent.ID(c.words[0])
		default:
			return c.misused("one person at a time")
		}
		client, err := c.dial()
		if err != nil {
			return err
		}
		done, err := client.Person(ctx, o)
		if err != nil {
			return err
		}
		if done.Note != "" {
			fmt.Fprintf(c.err, "note: %s\n", done.Note)
		}
		if len(done.Data) > 0 {
			var b bytes.Buffer
			if err := json.Indent(&b, done.Data, "", "  "); err != nil {
				return err
			}
			_, err := fmt.Fprintln(c.out, b.String())
			return err
		}
		return answer(c, done, func(w io.Writer, d control.PersonDone) error { return control.WritePerson(w, d, time.Now()) })
	}
}

// readNumber reads a person's number, or a receipt's link, from a line of
// standard input.
func readNumber(in io.Reader, prompt io.Writer) (string, error) {
	fmt.Fprint(prompt, "The person's number, or the link of a receipt: ")
	line, err := bufio.NewReader(io.LimitReader(in, 256)).ReadString('\n')
	if line = strings.TrimSpace(line); line != "" {
		return line, nil
	}
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("read the person's number: %w", err)
	}
	return "", errors.New("nobody was named: type the number or a receipt's link, or give a subject behind the command")
}

// receiptIn is the secret in a receipt's link, or alone; empty when the line is
// none.
func receiptIn(line string) string {
	if found := aReceipt.FindStringSubmatch(line); found != nil {
		return found[1]
	}
	return ""
}

func openRequest(ctx context.Context, c *call) error {
	channel := c.flags.String("by", "counter", "the `WAY` the request came: counter, phone or paper")
	if err := c.parse(1); err != nil {
		return err
	}
	return sendOrder(ctx, c, control.RequestOrder{Kind: c.words[0], Channel: *channel, Who: who()})
}

func answerRequest(ctx context.Context, c *call) error {
	if err := c.parse(-1); err != nil {
		return err
	}
	var number int64
	if len(c.words) < 2 {
		return c.misused("which request, and how? `hien person requests` lists them")
	}
	if _, err := fmt.Sscan(c.words[0], &number); err != nil || number < 1 {
		return c.misused("the first word is no request's number")
	}
	return sendOrder(ctx, c, control.RequestOrder{Number: number, How: c.words[1], Reason: strings.Join(c.words[2:], " "), Who: who()})
}

func sendOrder(ctx context.Context, c *call, o control.RequestOrder) error {
	client, err := c.dial()
	if err != nil {
		return err
	}
	r, err := client.Request(ctx, o)
	if err != nil {
		return err
	}
	return answer(c, r, func(w io.Writer, r control.Request) error { return control.WriteRequest(w, r, time.Now()) })
}

func showRequests(ctx context.Context, c *call) error {
	return list(ctx, c, (*control.Client).Requests, control.WriteRequests)
}

// person is the daemon's answer.
func (d *daemon) person(ctx context.Context, o control.PersonOrder) (control.PersonDone, error) {
	done := control.PersonDone{Do: o.Do}
	if d.record == nil {
		return done, d.closed
	}
	now := d.clock.now()
	who := hien.Who{Subject: o.Subject, Receipt: hien.ReceiptHash(o.Receipt)}
	if o.Number != "" {
		number, err := hien.ParsePhone(o.Number)
		if err != nil {
			return done, err
		}
		if who, done.Erased, err = d.gateway.Named(ctx, number); err != nil && !errors.Is(err, hien.ErrNoReceipt) {
			return done, err
		}
	}
	people, err := d.gateway.Person(ctx, who)
	if err != nil && !errors.Is(err, hien.ErrNoReceipt) {
		return done, err
	}
	done.Found = err == nil
	for _, p := range people {
		name := control.PersonName{Subject: p.Consent.Subject(), Stands: standing(p.Consent), Visits: len(p.Visits), Sealed: p.Sealed != ""}
		if len(p.Given) > 0 {
			name.Since = p.Given[0].Consent.At().Wall
		}
		done.Names = append(done.Names, name)
	}
	if o.Do == "locate" || o.Do == "receipt" {
		if o.Do == "receipt" && done.Found {
			done.Data, done.Note, err = d.kantara(ctx, people[0])
		}
		d.gateway.Note(ctx, hien.Deed{At: now, Who: o.Who, What: hien.DidLocate})
		return done, ignoreNobody(err)
	}
	kind := map[string]string{"export": "access", "withdraw": "withdraw", "erase": "erase"}[o.Do]
	r, err := d.gateway.CarryOut(ctx, o.Request, kind, o.Channel, o.Who, now, func() (string, error) {
		if !done.Found {
			return "", hien.ErrNoReceipt
		}
		switch o.Do {
		case "export":
			done.Data, err = hien.Disclose(people, d.config().StoreName, now)
			return "", err
		case "withdraw":
			done.Back, err = d.takeBack(ctx, who, people, o.Purposes)
			return "", err
		default:
			gone, err := d.gateway.Erase(ctx, who, "control", now)
			return fmt.Sprintf("%d-%s", gone.Seq, gone.ID), err
		}
	})
	if err != nil {
		return done, err
	}
	d.gateway.Note(ctx, hien.Deed{At: now, Who: o.Who, What: hien.DidForPerson, About: fmt.Sprintf("%s, request %d", o.Do, r.Number)})
	view := control.RequestView(r, now.Wall)
	done.Request = &view
	return done, nil
}

// ignoreNobody makes nothing of an error that nobody was found.
func ignoreNobody(err error) error {
	if errors.Is(err, hien.ErrNoReceipt) {
		return nil
	}
	return err
}

func standing(c consent.Consent) (all []consent.Purpose) {
	for _, a := range c.Answers() {
		if a.Agreed {
			all = append(all, a.Purpose)
		}
	}
	return all
}

func (d *daemon) request(ctx context.Context, o control.RequestOrder) (control.Request, error) {
	if d.record == nil {
		return control.Request{}, d.closed
	}
	now := d.clock.now()
	var r hien.Request
	var err error
	if o.Number == 0 {
		r, err = d.gateway.OpenRequest(ctx, o.Kind, o.Channel, o.Who, now)
	} else {
		r, err = d.gateway.AnswerRequest(ctx, o.Number, o.How, o.Reason, now)
	}
	return control.RequestView(r, now.Wall), err
}

func (d *daemon) requests(ctx context.Context, limit int) (control.List[control.Request], error) {
	if d.record == nil {
		return control.List[control.Request]{}, d.closed
	}
	all, err := d.record.ListRequests(ctx, limit)
	v := control.List[control.Request]{Items: []control.Request{}, Total: len(all)}
	for _, r := range all {
		v.Items = append(v.Items, control.RequestView(r, d.clock.now().Wall))
	}
	return v, err
}

// kantara is a person's latest consent as a receipt for other programs, and what
// is to be known of it.
func (d *daemon) kantara(ctx context.Context, p hien.Person) (data []byte, note string, err error) {
	asker, err := d.config().Asker()
	if err != nil {
		return nil, "", err
	}
	var key ed25519.PublicKey
	if len(p.Given) > 0 {
		if key, err = d.record.KeyAt(ctx, p.Given[len(p.Given)-1].Seq, d.key.Signer().Public()); err != nil {
			return nil, "", err
		}
	}
	data, asShown, err := hien.Kantara(p, asker, d.config().StoreName, key)
	if err == nil && !asShown {
		note = "the policy that made this person's notice is not there any more, or has other words: shop, controller and recipients are named as they are today. What was shown is printed by hien notice show --hash, with the hash in policyUrl."
	}
	return data, note, err
}
