package portal

import (
	"errors"
	"net/http"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/templates"
)

// A change of number, for whoever has the receipt's secret and proves the new
// number. Each page asks for the receipt first, as every page behind its link
// does. Whether the new number is known is told to whoever has proved it, and to
// nobody else.

func numberPath(secret string) string { return receiptPath(secret) + "/number" }

// number shows where the change stands.
func (s *Server) number(w http.ResponseWriter, r *http.Request) error {
	p, _, err := s.numberPage(r)
	if err != nil {
		return err
	}
	p.Word = templates.MineWord(r.URL.Query().Get("word"))
	return show(w, p)
}

func (s *Server) numberPage(r *http.Request) (templates.Number, hien.Device, error) {
	p, err := s.proven(r, "/number")
	if err != nil {
		return templates.Number{}, hien.Device{}, err
	}
	d, err := s.device(r)
	if err != nil {
		return templates.Number{}, d, err
	}
	asked, err := s.Numbers.NumberAsked(r.Context(), d, p.Secret, s.Now())
	return templates.Number{Mine: templates.Mine{Frame: p.Frame, Mine: hien.Mine{Asked: asked}}, Secret: p.Secret}, d, err
}

// changeNumber takes the new number and sends a code to it.
func (s *Server) changeNumber(w http.ResponseWriter, r *http.Request) error {
	p, d, err := s.numberPage(r)
	if err != nil {
		return err
	}
	phone, err := hien.ParsePhone(r.PostForm.Get("phone"))
	if err == nil {
		err = s.Numbers.ChangeNumber(r.Context(), d, p.Secret, phone, string(language(r)), s.Now())
	}
	if wrong := new(hien.PhoneError); errors.As(err, &wrong) {
		p.Typed, p.Err = r.PostForm.Get("phone"), err
		return show(w, p)
	}
	return s.seeAsked(w, r, numberPath(p.Secret), err)
}

// confirmNumber takes the code, and leads to the receipt.
func (s *Server) confirmNumber(w http.ResponseWriter, r *http.Request) error {
	p, d, err := s.numberPage(r)
	if err != nil {
		return err
	}
	code, ok := hien.ParseCode(r.PostForm.Get("code"))
	if !ok {
		s.see(w, r, numberPath(p.Secret), "word", string(templates.MineForm)) // no try is spent on what cannot be a code
		return nil
	}
	switch err := s.Numbers.ConfirmNumber(r.Context(), d, p.Secret, code, s.Now()); {
	case err == nil:
		s.see(w, r, receiptPath(p.Secret), "changed", "1")
		return nil
	case errors.Is(err, hien.ErrNoForm):
		s.see(w, r, receiptPath(p.Secret)) // a second press of the button, or forgotten by a restart
		return nil
	default:
		return s.seeAsked(w, r, numberPath(p.Secret), err)
	}
}

// anotherNewNumber drops the number that waits.
func (s *Server) anotherNewNumber(w http.ResponseWriter, r *http.Request) error {
	p, d, err := s.numberPage(r)
	if err != nil {
		return err
	}
	return s.seeAsked(w, r, numberPath(p.Secret), s.Own.DropInquiry(r.Context(), d, s.Now()))
}
