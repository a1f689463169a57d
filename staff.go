package hien

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/hien-wifi/hien/consent"
)

// A staff code is for shops that send nothing: the till shows six digits that
// change, and whoever stands there types them. It proves that a person is in
// the shop. It proves no number: anybody can type anybody's. R-CON-11 wants a
// number proved before it is used for anything, so with a staff code
//
//   - nothing is asked that reaches a person (contact, audiences, partners);
//   - a number that was typed, since a code was to be sent and could not be, is
//     neither keyed nor sealed nor kept: the person is known by the consent
//     alone, under BrandKey.presenceKey, and by the mark of the device;
//   - the consent's evidence says "staff" and has no number.
//
// The code is made of the router's key and its time since boot, so it needs no
// clock that is in step and no secret of its own. It is derived as RFC 6238
// does, with HMAC-SHA256 over a longer text.

// StaffCodeLife is how long the till shows a code. It is taken for as long
// again, so that nobody types in vain what was just read.
const StaffCodeLife = 5 * time.Minute

// staffCode is the code of a step of StaffCodeLife since boot.
func (k RouterKey) staffCode(boot string, step time.Duration) Code {
	sum := mac(k.mark, fmt.Sprintf("staff:v1:%d:%s", step, boot))
	digits := fmt.Sprintf("%06d", binary.BigEndian.Uint64(sum)%1_000_000)
	return Code{&digits}
}

// isStaffCode reports whether the till shows the code now, or did before.
func (k RouterKey) isStaffCode(c Code, now Moment) bool {
	step := now.Up / StaffCodeLife
	for _, s := range []time.Duration{step, step - 1} {
		if s >= 0 && sameDigits(k.staffCode(now.Boot, s), c) {
			return true
		}
	}
	return false
}

// StaffCode is the code that the till shows now, and for how long; ok is false
// where the shop takes none.
func (g *Gateway) StaffCode(now Moment) (c Code, left time.Duration, ok bool) {
	if !g.settings.Load().StaffCode {
		return Code{}, 0, false
	}
	return g.parts.Router.staffCode(now.Boot, now.Up/StaffCodeLife), StaffCodeLife - now.Up%StaffCodeLife, true
}

// byStaff reports whether the staff's code will do for a form.
func (g *Gateway) byStaff(f *Form) bool {
	return g.settings.Load().StaffCode && !f.reaches()
}

// reaches reports whether anything that was ticked reaches the person.
func (f *Form) reaches() bool {
	for _, p := range f.Agreed {
		if p.Reaches() {
			return true
		}
	}
	return false
}

// presenceKey is a person of whom nothing is known but that they were in the
// shop and gave this consent. It joins with nobody else's key.
func (k BrandKey) presenceKey(c consent.ID) LeadKey {
	return LeadKey(fmt.Sprintf("k%d:%x", k.version, mac(k.secret, "presence:v1:"+string(c))))
}
