package portal

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/templates"
)

// A receipt's link is a secret of 128 bits: whoever has it may see what it
// proves, change it, and have everything erased. One that was guessed, was
// erased or is another shop's answers as any other: each page first asks for
// the receipt, by one look-up of the secret's hash, and nothing else is asked
// when there is none.

// proven is what the pages behind a receipt's link have in common.
func (s *Server) proven(r *http.Request, path string) (templates.Proven, error) {
	secret := mux.Vars(r)["secret"]
	found, err := s.Receipts.Receipt(r.Context(), secret)
	if err != nil {
		return templates.Proven{}, err
	}
	_, g, _ := s.greet(r) // only for the shop's name: the receipt opens from any device
	return templates.Proven{Frame: frame(language(r), g, receiptPath(secret)+path), Secret: secret, Receipt: found,
		Asker: g.Asker, In: s.Location}, nil
}

func receiptPath(secret string) string { return "/receipt/" + url.PathEscape(secret) }

// receipt shows what a secret proves, to whoever has it.
func (s *Server) receipt(w http.ResponseWriter, r *http.Request) error {
	p, err := s.proven(r, "")
	if err != nil {
		return err
	}
	page := templates.Receipt{Proven: p, Link: s.base(r) + strings.TrimPrefix(receiptPath(p.Secret), "/"), Done: r.URL.Query().Has("done"),
		Changed: r.URL.Query().Has("changed")}
	if !p.Receipt.Standing.AllowsAny() {
		// Whoever came again after everything had ended has another name here, and
		// takes back by this receipt what stands under that one. It is told here as
		// on the page of data, to the same person: who proved the same number.
		if page.Names, err = s.Receipts.Everything(r.Context(), p.Secret); err != nil {
			return err
		}
	}
	return show(w, page)
}

// base is the portal's own address, as whoever sent the request can open it
// again: https with the certificate's name over TLS.
func (s *Server) base(r *http.Request) string {
	if r.TLS != nil {
		return s.secureDoor(r)
	}
	return "http://" + s.door(r).String() + "/"
}

// wording shows the notice that was answered, printed again from its hash
// (R-CON-6).
func (s *Server) wording(w http.ResponseWriter, r *http.Request) error {
	p, err := s.proven(r, "/notice")
	if err != nil {
		return err
	}
	return show(w, templates.Wording{Proven: p})
}

// data shows a person everything that is kept of them.
func (s *Server) data(w http.ResponseWriter, r *http.Request) error {
	d, err := s.everything(r)
	if err != nil {
		return err
	}
	return show(w, d)
}

// dataText is the same as a file to keep, and dataJSON one for machines.
func (s *Server) dataText(w http.ResponseWriter, r *http.Request) error {
	d, err := s.everything(r)
	if err != nil {
		return err
	}
	return download(w, "hien-data.txt", "text/plain; charset=utf-8", []byte(d.Text()))
}

func (s *Server) dataJSON(w http.ResponseWriter, r *http.Request) error {
	d, err := s.everything(r)
	if err != nil {
		return err
	}
	text, err := hien.Disclose(d.People, d.Store, d.Now)
	if err != nil {
		return err
	}
	return download(w, "hien-data.json", "application/json", text)
}

func (s *Server) everything(r *http.Request) (templates.Data, error) {
	p, err := s.proven(r, "/data")
	if err != nil {
		return templates.Data{}, err
	}
	people, err := s.Receipts.Everything(r.Context(), p.Secret)
	return templates.Data{Proven: p, People: people, Now: s.Now()}, err
}

// download answers with a file.
func download(w http.ResponseWriter, name, kind string, text []byte) error {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	if _, err := bytes.NewReader(text).WriteTo(w); err != nil {
		return errGone
	}
	return nil
}

// withdraw takes back one purpose or all of them; no reason is asked for.
func (s *Server) withdraw(w http.ResponseWriter, r *http.Request) error {
	secret := mux.Vars(r)["secret"]
	purposes := given(r).Ticked
	path := receiptPath(secret)
	if all := r.PostForm.Has("all"); len(purposes) == 0 && !all {
		s.see(w, r, path)
		return nil
	} else if all {
		purposes = nil
	}
	if err := s.Receipts.Withdraw(r.Context(), secret, purposes, s.Now()); err != nil {
		return err
	}
	s.see(w, r, path, "done", "1")
	return nil
}

// erase forgets the person, and answers with a page that can be kept: its
// address names the ledger entry and nobody.
func (s *Server) erase(w http.ResponseWriter, r *http.Request) error {
	secret := mux.Vars(r)["secret"]
	if !r.PostForm.Has("all") {
		s.see(w, r, receiptPath(secret))
		return nil
	}
	gone, err := s.Receipts.Erase(r.Context(), secret, s.Now())
	if err != nil {
		return err
	}
	s.see(w, r, "/erased/"+strconv.FormatUint(gone.Seq, 10)+"-"+string(gone.ID))
	return nil
}

// erased says that everything was erased, as long as the ledger says so.
func (s *Server) erased(w http.ResponseWriter, r *http.Request) error {
	proof := mux.Vars(r)["entry"]
	number, id, _ := strings.Cut(proof, "-")
	seq, err := strconv.ParseUint(number, 10, 63)
	if err != nil {
		return hien.ErrNoReceipt
	}
	at, err := s.Receipts.ErasedAt(r.Context(), seq, consent.ID(id))
	if err != nil {
		return err
	}
	_, g, _ := s.greet(r)
	return show(w, templates.Gone{Frame: frame(language(r), g, "/erased/"+url.PathEscape(proof)), Moment: at, Proof: proof, In: s.Location})
}
