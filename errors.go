package hien

import "errors"

// The errors on which callers branch.
var (
	ErrUnchanged = errors.New("unchanged")                       // from Livebook.Change's argument
	ErrForget    = errors.New("forget the guest")                // from Livebook.Change's argument
	ErrStorage   = errors.New("the record cannot be written")    // a full disk, a damaged or newer database
	ErrNoReceipt = errors.New("no such receipt")                 // also for one that was erased
	ErrNoForm    = errors.New("no form is waiting for a code")   // it was finished, or forgotten by a restart
	ErrBadCode   = errors.New("the code is not right")           // and a try is gone
	ErrCodeDead  = errors.New("the code has expired")            // or was guessed too often
	ErrTooMany   = errors.New("too many codes were asked for")   // by this number, this device or in this shop
	ErrNotSent   = errors.New("the code could not be sent")      // the sender's word is wrapped beside it
	ErrNoAsking  = errors.New("nothing is asked for at present") // no sender, or the record is closed
	ErrNoNumber  = errors.New("no number stands here")           // so there is none to change
	ErrTaken     = errors.New("the number is another's here")    // so nothing was changed
	ErrNoZone    = errors.New("no such zone")
	ErrNoGuest   = errors.New("no such guest")                           // nothing is known of the device
	ErrNoPass    = errors.New("it has no pass")                          // so there is none to take away
	ErrBlocked   = errors.New("the device is blocked")                   // by the owner
	ErrSpent     = errors.New("the volume of the pass is used up")       // until the pass would have ended
	ErrComesBack = errors.New("it would be let in again at once")        // as it is trusted, or the door is open
	ErrNotOpen   = errors.New("the door is not open to everybody")       // so there is nothing to end
	ErrOpenSpan  = errors.New("the door opens for 1 minute to 24 hours") // see OpenMin, OpenMax
)
