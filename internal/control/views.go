package control

import (
	"time"

	"github.com/hien-wifi/hien/consent"
)

// The views are what a living daemon tells over its socket, as plain values.
// Their JSON is for machines: names are never changed or removed. Durations
// are seconds, times are RFC 3339, and a time or part that does not exist is
// left out. No view holds a number or a secret, nor a whole MAC, but for the
// guests when the owner asks for them in full.

// Status is the state of the whole house.
type Status struct {
	Version   string     `json:"version"`
	Since     time.Time  `json:"since"`      // when the daemon started, as far as its clock can tell
	UpSeconds int64      `json:"up_seconds"` // how long it has been running; right even when the clock was not
	StoreID   string     `json:"store_id"`
	StoreName string     `json:"store_name"`
	Zones     []Zone     `json:"zones"` // in the order of the configuration
	Record    Record     `json:"record"`
	Unasked   *Unasked   `json:"unasked,omitempty"`   // why nothing is asked although somebody would be; absent when all is there
	Young     int64      `json:"too_young,omitempty"` // guests who said to be too young to be asked, since the start; nothing else is kept of them
	Firewall  Firewall   `json:"firewall"`
	Sniffer   []Sniffer  `json:"sniffer"`  // one for each zone's interface
	Couriers  []Courier  `json:"couriers"` // one for each sink; none without sinks
	Clock     Clock      `json:"clock"`
	Internet  Internet   `json:"internet"`
	Today     Today      `json:"today"`
	AccessLog *AccessLog `json:"access_log,omitempty"` // absent when none is kept
	OldKeys   []OldKey   `json:"old_keys,omitempty"`   // brand keys that still stand behind the current one
	Requests  *Requests  `json:"requests,omitempty"`   // of people, that are open; absent when there are none
	SafeMode  string     `json:"safe_mode,omitempty"`  // since when the daemon has been in safe mode, in words; absent when it is not
	OpenUntil time.Time  `json:"open_until,omitzero"`  // the owner lets everybody in until then; absent when not
	Summary   string     `json:"summary"`              // all of this in one sentence: that all is well, or the most urgent trouble
	Todo      []string   `json:"todo,omitempty"`       // what the owner should do about it, then the other troubles; the most urgent first
	Memory    int64      `json:"memory,omitempty"`     // bytes resident; 0 when not known
}

// AccessLog is the state of the access log.
type AccessLog struct {
	Mode     string `json:"mode"`     // "minimal" or "vn_333"
	Sessions int    `json:"sessions"` // that are open
	Trouble  string `json:"trouble,omitempty"`
	Lost     int    `json:"lost,omitempty"` // entries that were never written
}

// Today is how many devices were here today, counted in memory.
type Today struct {
	Devices   int       `json:"devices"`
	Agreed    int       `json:"agreed"`    // to something, today
	Returning int       `json:"returning"` // known by an earlier consent
	Since     time.Time `json:"since,omitzero"`
	Full      bool      `json:"full,omitempty"` // there were more than are counted
}

// OldKey is a brand key that stands behind the current one.
type OldKey struct {
	Key    string `json:"key"`    // "k1"
	People int    `json:"people"` // who are known by it alone
}

// The states of a zone.
const (
	ZoneOpen    = "open for guests"
	ZoneWaiting = "waiting for interface"
)

// Zone is one guest network.
type Zone struct {
	Name      string   `json:"name"`
	Interface string   `json:"interface"`
	State     string   `json:"state"`            // ZoneOpen, ZoneWaiting or, in words, what else keeps it shut
	Portal    []string `json:"portal,omitempty"` // addresses and ports at which the portal listens
	Guests    int      `json:"guests"`           // who are here now
	WithPass  int      `json:"with_pass"`        // of them, who are online
	Trusted   int      `json:"trusted"`          // devices in its lists
	Blocked   int      `json:"blocked"`
}

// The states of the record.
const (
	RecordOpen   = "open"
	RecordClosed = "closed" // nothing is asked; guests come in all the same
	// RecordUnreadable is a record that was opened and now fails.
	RecordUnreadable = "not readable"
)

// Record is the state of the record.
type Record struct {
	State   string `json:"state"`             // RecordOpen, RecordClosed or RecordUnreadable
	Detail  string `json:"detail,omitempty"`  // why it is not open
	Journal string `json:"journal,omitempty"` // how it is written: "wal" or "truncate"
}

// Unasked is why the notice cannot be shown, so that nothing is asked.
type Unasked struct {
	Why  string   `json:"why"`
	Todo []string `json:"todo"` // what the owner should do about it, a clause each
}

// Firewall is the state of the door.
type Firewall struct {
	Backend    string    `json:"backend"` // "iptables" or "nftables", with its variant
	Repairs    uint64    `json:"repairs"` // how often another program's change was mended
	LastRepair time.Time `json:"last_repair,omitzero"`
	Released   bool      `json:"released,omitempty"` // hien cleanup took the rules out, until SIGHUP or a restart
	Broken     string    `json:"broken,omitempty"`   // why the rules do not hold now
}

// Sniffer is the state of one interface's listener. Without it visits are
// counted more coarsely; access does not depend on it.
type Sniffer struct {
	Interface string `json:"interface"`
	State     string `json:"state"` // "listening", or in words what it waits for
	Frames    uint64 `json:"frames"`
	Bad       uint64 `json:"bad"` // frames that were not understood
}

// The states of a courier.
const (
	CourierIdle       = "idle" // nothing waits
	CourierDelivering = "delivering"
	CourierRetrying   = "retrying" // the sink did not answer, or not now
	CourierStopped    = "stopped"  // until the owner has mended something
)

// Courier is the state of the way to one sink.
type Courier struct {
	Sink        string    `json:"sink"`
	State       string    `json:"state"`
	Detail      string    `json:"detail,omitempty"` // why it retries or has stopped
	Since       time.Time `json:"since,omitzero"`   // when that began
	Waiting     int       `json:"waiting"`          // events in the queue
	Parked      int       `json:"parked"`           // events that the sink refused for good
	LastSuccess time.Time `json:"last_success,omitzero"`
}

// The states of the way to the internet.
const (
	InternetUp      = "up"
	InternetDown    = "down"
	InternetUnknown = "not known"
)

// Internet is whether the shop has internet, as far as Hiên can tell.
type Internet struct {
	State   string `json:"state"`         // InternetUp, InternetDown or InternetUnknown
	Waiting int    `json:"codes_waiting"` // guests whose code is sent when it is back
}

// Clock says whether the time is to be believed.
type Clock struct {
	InStep bool `json:"in_step"`
}

// Guest is a device that is in the shop now.
type Guest struct {
	MAC      string    `json:"mac"` // masked: hien.MAC's String; whole when asked for in full
	Zone     string    `json:"zone"`
	Addrs    []string  `json:"addrs,omitempty"`
	Since    time.Time `json:"since"` // of this stay
	LastSeen time.Time `json:"last_seen"`
	PassLeft int64     `json:"pass_left_seconds"`
	Member   bool      `json:"member"`          // known by an earlier consent
	AtCode   bool      `json:"at_code"`         // a code is on its way
	Grace    bool      `json:"grace,omitempty"` // the pass is one of some minutes, for the code to come
	Gave     bool      `json:"gave"`            // agreed to something in this stay
	Bytes    uint64    `json:"bytes"`           // that the pass has carried; counted where a limit asks for it
	Trusted  bool      `json:"trusted,omitempty"`
	Blocked  bool      `json:"blocked,omitempty"`
	Spent    bool      `json:"spent,omitempty"`   // the volume is used up
	Waiting  bool      `json:"waiting,omitempty"` // its code is sent when the internet is back
}

// Visit is one stay of a person who agreed to have visits counted.
type Visit struct {
	ID      consent.ID `json:"id"`
	Subject consent.ID `json:"subject"`
	Zone    string     `json:"zone"`
	Start   time.Time  `json:"start"`
	End     time.Time  `json:"end,omitzero"` // absent while it goes on
	Number  int        `json:"number"`       // 1 for the person's first
}

// Lead is a person who agreed to something.
type Lead struct {
	Subject   consent.ID        `json:"subject"`
	Key       string            `json:"key"`      // the beginning of the lead key, enough to tell two apart
	Sealed    bool              `json:"sealed"`   // the number is kept for the holder of the seal key
	Purposes  []consent.Purpose `json:"purposes"` // that the person allows now
	Visits    int               `json:"visits"`
	LastVisit time.Time         `json:"last_visit,omitzero"`
}

// Notice is one that was shown, word for word.
type Notice struct {
	Hash consent.Hash `json:"hash"` // SHA-256 of the text
	Text string       `json:"text"`
}

// Consent is what a person agreed to, as it stands.
type Consent struct {
	ID       consent.ID       `json:"id"`
	Subject  consent.ID       `json:"subject"`
	Answers  []consent.Answer `json:"answers"`
	Since    time.Time        `json:"since"`
	Language string           `json:"language"`
	Notice   consent.Hash     `json:"notice"`
}

// The states of an event in the queue.
const (
	EventWaiting = "waiting"
	EventParked  = "parked"
)

// QueueItem is an event on its way.
type QueueItem struct {
	ID      consent.ID      `json:"id"`
	Sink    string          `json:"sink"`
	Kind    string          `json:"kind"`
	Purpose consent.Purpose `json:"purpose,omitempty"` // absent in a withdrawal
	At      time.Time       `json:"at"`
	State   string          `json:"state"`            // EventWaiting or EventParked
	Answer  string          `json:"answer,omitempty"` // the sink's, that parked it
}

// Ledger is the outcome of checking every entry of the ledger.
type Ledger struct {
	Holds   bool   `json:"holds"`
	Entries uint64 `json:"entries"`          // that were checked
	Key     string `json:"key"`              // the short name of the router's key
	Head    string `json:"head,omitempty"`   // the last entry's hash
	Broken  string `json:"broken,omitempty"` // where and why it does not hold
}

// List is the newest of a kind, and how many there are in all. Items is never
// nil: for machines an empty list is a list.
type List[T any] struct {
	Items []T `json:"items"`
	Total int `json:"total"`
}

// Queue is what has not reached the sink: first what is parked, the newest
// first; then what waits, in the order in which it goes.
type Queue struct {
	List[QueueItem]
	Waiting int `json:"waiting"`
	Parked  int `json:"parked"`
	Dropped int `json:"dropped"` // ever, unsent, because they were too old or too many
}

// Withdrawn is what a person's withdrawal has taken back: purposes that stood
// until then. None means that nothing was changed.
type Withdrawn struct {
	Subject  consent.ID        `json:"subject"`
	Purposes []consent.Purpose `json:"purposes"`
}

// withdrawal asks to take a subject's purposes back; none named means all.
type withdrawal struct {
	Subject  consent.ID        `json:"subject"`
	Purposes []consent.Purpose `json:"purposes,omitempty"`
}

// released is the answer to a request to let go of the kernel.
type released struct {
	Released bool `json:"released"`
}

// Deed is something that was done by hand.
type Deed struct {
	At    time.Time `json:"at"`
	Who   string    `json:"who"`
	What  string    `json:"what"`
	About string    `json:"about,omitempty"`
}

// Done is what was done for devices.
type Done struct {
	Devices []Device `json:"devices"`
}

// Device is one of them.
type Device struct {
	MAC      string `json:"mac"` // masked
	Zone     string `json:"zone"`
	PassLeft int64  `json:"pass_left_seconds"`
	Known    bool   `json:"known"` // it was seen; else it comes in when it is
}

// Opened is until when the door is open to everybody; absent when it is shut.
type Opened struct {
	Until time.Time `json:"until,omitzero"`
}

// An Order names a device for which the owner asks something.
type Order struct {
	Who    string `json:"who"`            // the user of the system who asks
	Device string `json:"device"`         // a hardware address; to revoke, an IP address too
	Zone   string `json:"zone,omitempty"` // empty: any
}

// opening asks for the door to be open to everybody; 0 seconds ends it.
type opening struct {
	Who     string `json:"who"`
	Seconds int64  `json:"seconds"`
}

// reloading asks to read the configuration again, because of what was done to
// it by hand, if anything was.
type reloading struct {
	Who   string `json:"who"`
	Did   string `json:"did,omitempty"` // one of hien's Did constants
	About string `json:"about,omitempty"`
}

// reloaded is the answer.
type reloaded struct {
	Reloaded bool `json:"reloaded"`
}

// StaffCode is the code that the shop's till shows, for staff to tell guests
// who stand there.
type StaffCode struct {
	Code        string `json:"code"`
	SecondsLeft int64  `json:"seconds_left"` // until the next one; it is taken for as long again
}
