package sqlite

import (
	"context"
	"iter"
	"strings"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// A Permission is one purpose that one lead allows, with what may be known of
// the lead for it: the sealed number where the purpose reaches the person, the
// visits where it counts them, and nothing else.
type Permission struct {
	Key       hien.LeadKey
	Previous  hien.LeadKey // may be empty
	Purpose   consent.Purpose
	Proof     consent.ID   // the consent that allows it
	Notice    string       // the version of the wording that was agreed to
	Substance consent.Hash // of that notice; zero when it was not kept
	Since     When
	Sealed    hien.SealedPhone
	SealedFor consent.ID
	Visits    int
	LastVisit *When // nil without one
}

// exportPage is how many people are read at once. Between pages the record is
// free: whoever exports slowly keeps no guest waiting.
const exportPage = 200

// Permissions are what the leads allow, for one purpose or, with none named,
// for all, in the order of people and purposes. Whether a purpose stands is
// looked up when its page is read (R-CON-7).
func (s *Store) Permissions(ctx context.Context, purpose consent.Purpose) iter.Seq2[Permission, error] {
	return func(yield func(Permission, error) bool) {
		for after := person(0); ; {
			page, last, err := s.permissionsAfter(ctx, after, purpose)
			if err != nil {
				yield(Permission{}, err)
				return
			}
			for _, p := range page {
				if !yield(p, nil) {
					return
				}
			}
			if last == 0 {
				return
			}
			after = last
		}
	}
}

// permissionsAfter reads the next people; last is 0 when there is nobody.
func (s *Store) permissionsAfter(ctx context.Context, after person, purpose consent.Purpose) (page []Permission, last person, err error) {
	err = s.read(ctx, "export leads", func(r reader) error {
		rows, err := r.QueryContext(ctx, `WITH page AS (
				SELECT * FROM people WHERE person > ?1 AND lead_key IS NOT NULL ORDER BY person LIMIT ?2)
			SELECT p.person, p.lead_key, coalesce(p.previous_key, ''), coalesce(p.sealed, ''),
				coalesce((SELECT id FROM consents WHERE seq = p.sealed_for), ''),
				coalesce(s.purpose, ''), coalesce(c.id, ''), coalesce(c.wall, 0), coalesce(c.in_step, 0), substr(coalesce(n.text, ''), 1, 100), n.substance,
				(SELECT count(*) FROM visits AS v WHERE v.person = p.person),
				coalesce((SELECT start_wall FROM visits AS v WHERE v.person = p.person ORDER BY number DESC LIMIT 1), 0),
				coalesce((SELECT start_in_step FROM visits AS v WHERE v.person = p.person ORDER BY number DESC LIMIT 1), 0)
			FROM page AS p
				LEFT JOIN standing AS s ON s.person = p.person AND s.agreed = 1 AND ?3 IN ('', s.purpose)
				LEFT JOIN consents AS c ON c.seq = s.consent
				LEFT JOIN notices AS n ON n.hash = c.notice
			ORDER BY p.person, s.purpose`, after, exportPage, purpose)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var p Permission
			var since, visit stamp
			var notice string
			var substance []byte
			if err := rows.Scan(&last, &p.Key, &p.Previous, &p.Sealed, &p.SealedFor, &p.Purpose, &p.Proof,
				&since.wall, &since.inStep, &notice, &substance, &p.Visits, &visit.wall, &visit.inStep); err != nil {
				return err
			}
			if p.Purpose == "" {
				continue // of a page's people some allow something else only
			}
			p.Since, p.Notice = when(since), noticeVersion(notice)
			copy(p.Substance[:], substance)
			if !p.Purpose.Reaches() {
				p.Sealed, p.SealedFor = "", ""
			}
			if p.Purpose != consent.VisitFrequency {
				p.Visits = 0
			} else if p.Visits > 0 {
				at := when(visit)
				p.LastVisit = &at
			}
			page = append(page, p)
		}
		return rows.Err()
	})
	return page, last, err
}

// noticeVersion is the version in the first line of consent.Notice.Text.
func noticeVersion(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	version, _, _ := strings.Cut(strings.TrimPrefix(line, "notice "), " (")
	return version
}
