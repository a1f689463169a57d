package portal

import (
	"errors"
	"net/http"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/templates"
)

// The way to one's own data without a receipt. What the device shows of its
// person is what stands, to be taken back; everything else needs a number that
// is proved. Known and unknown numbers are told apart only to whoever proves
// them.

// mine leads on to the receipt of this stay (see hien.ReceiptShown), or shows
// the way to one.
func (s *Server) mine(w http.ResponseWriter, r *http.Request) error {
	p, err := s.ownPage(r)
	if err != nil {
		return err
	}
	if p.Mine.Receipt != "" {
		s.see(w, r, receiptPath(p.Mine.Receipt))
		return nil
	}
	p.Word = templates.MineWord(r.URL.Query().Get("word"))
	return show(w, p)
}

func (s *Server) ownPage(r *http.Request) (templates.Mine, error) {
	d, g, err := s.greet(r)
	if err != nil {
		return templates.Mine{}, err
	}
	own, err := s.Own.Mine(r.Context(), d, s.Now())
	return templates.Mine{Frame: frame(language(r), g, "/mine"), Mine: own}, err
}

// inquire takes a number and sends a code to it.
func (s *Server) inquire(w http.ResponseWriter, r *http.Request) error {
	phone, err := hien.ParsePhone(r.PostForm.Get("phone"))
	if err == nil {
		var d hien.Device
		if d, err = s.device(r); err == nil {
			err = s.Own.Inquire(r.Context(), d, phone, string(language(r)), s.Now())
		}
	}
	if wrong := new(hien.PhoneError); errors.As(err, &wrong) {
		p, pageErr := s.ownPage(r)
		if pageErr != nil {
			return pageErr
		}
		p.Typed, p.Err = r.PostForm.Get("phone"), err
		return show(w, p)
	}
	return s.seeMine(w, r, err)
}

// confirm takes the code, and leads to the receipt.
func (s *Server) confirm(w http.ResponseWriter, r *http.Request) error {
	code, ok := hien.ParseCode(r.PostForm.Get("code"))
	if !ok {
		s.see(w, r, "/mine", "word", string(templates.MineForm)) // no try is spent on what cannot be a code
		return nil
	}
	d, err := s.device(r)
	if err != nil {
		return err
	}
	secret, err := s.Own.Confirm(r.Context(), d, code, s.Now())
	if err == nil {
		s.see(w, r, receiptPath(secret))
		return nil
	}
	return s.seeMine(w, r, err)
}

// seeMine leads back to the page, which says what came of it.
func (s *Server) seeMine(w http.ResponseWriter, r *http.Request, err error) error {
	switch {
	case errors.Is(err, hien.ErrNoForm):
		err = nil // the page knows
	case errors.Is(err, hien.ErrNoReceipt):
		s.see(w, r, "/mine", "word", string(templates.MineNothing))
		return nil
	}
	return s.seeAsked(w, r, "/mine", err)
}

// seeAsked leads back to a page on which a number is proved, and which says what
// came of it.
func (s *Server) seeAsked(w http.ResponseWriter, r *http.Request, path string, err error) error {
	var word templates.MineWord
	switch {
	case err == nil, errors.Is(err, hien.ErrCodeDead), errors.Is(err, hien.ErrNoAsking): // the page knows
		s.see(w, r, path)
		return nil
	case errors.Is(err, hien.ErrBadCode):
		word = templates.MineBad
	case errors.Is(err, hien.ErrTooMany):
		word = templates.MineMany
	case errors.Is(err, hien.ErrTaken):
		word = templates.NumberTaken
	case errors.Is(err, hien.ErrUnchanged):
		word = templates.NumberSame
	case errors.Is(err, hien.ErrNoNumber):
		word = templates.NumberNone
	case errors.Is(err, hien.ErrNotSent):
		word = templates.MineNotSent
		s.Log.Warn("a code could not be sent to somebody who wants to see or correct their data", "zone", s.Zone, "err", err)
	default:
		return err
	}
	s.see(w, r, path, "word", string(word))
	return nil
}

// anotherNumber drops the number that waits.
func (s *Server) anotherNumber(w http.ResponseWriter, r *http.Request) error {
	d, err := s.device(r)
	if err != nil {
		return err
	}
	return s.seeMine(w, r, s.Own.DropInquiry(r.Context(), d, s.Now()))
}

// takeBack takes back a purpose of the member whose device it is.
func (s *Server) takeBack(w http.ResponseWriter, r *http.Request) error {
	purposes := given(r).Ticked
	d, err := s.device(r)
	if err != nil {
		return err
	}
	if len(purposes) > 0 {
		err = s.Own.TakeBack(r.Context(), d, purposes, s.Now())
	}
	if err != nil || len(purposes) == 0 {
		return s.seeMine(w, r, err)
	}
	s.see(w, r, "/mine", "word", string(templates.MineDone))
	return nil
}
