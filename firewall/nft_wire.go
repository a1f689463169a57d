package firewall

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// messages are netlink messages to nf_tables, one behind the other: netlink(7),
// linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h. All numbers inside
// of attributes are in network byte order.
type messages struct {
	table string // that they are about; "" is ours
	b     []byte
	count uint32   // messages so far; a message's number is its sequence number
	what  []string // what each message does, for an error about it
}

// reset forgets everything but keeps the memory.
func (m *messages) reset() { m.b, m.count, m.what = m.b[:0], 0, m.what[:0] }

// open begins a message and returns its place, for shut.
func (m *messages) open(kind, flags uint16, family uint8, resource uint16, what string) (at int) {
	at = len(m.b)
	m.b = binary.NativeEndian.AppendUint32(m.b, 0)
	m.b = binary.NativeEndian.AppendUint16(m.b, kind)
	m.b = binary.NativeEndian.AppendUint16(m.b, unix.NLM_F_REQUEST|flags)
	m.b = binary.NativeEndian.AppendUint32(m.b, m.count)
	m.b = binary.NativeEndian.AppendUint32(m.b, 0)
	m.b = append(m.b, family, unix.NFNETLINK_V0)
	m.b = binary.BigEndian.AppendUint16(m.b, resource)
	m.count++
	m.what = append(m.what, what)
	return at
}

// shut ends a message.
func (m *messages) shut(at int) {
	binary.NativeEndian.PutUint32(m.b[at:], uint32(len(m.b)-at))
}

// ownTable writes the name of the table.
func (m *messages) ownTable(kind uint16) {
	if m.table != "" {
		m.text(kind, m.table)
		return
	}
	m.text(kind, nftTable)
}

// nft begins a message about a table of the family inet.
func (m *messages) nft(command, flags uint16, what string) (at int) {
	return m.open(unix.NFNL_SUBSYS_NFTABLES<<8|command, flags, unix.NFPROTO_INET, 0, what)
}

// begin and end stand around the messages that the kernel takes as one
// transaction. Without end it only looks whether it could.
func (m *messages) begin() {
	m.shut(m.open(unix.NFNL_MSG_BATCH_BEGIN, 0, 0, unix.NFNL_SUBSYS_NFTABLES, "begin"))
}

func (m *messages) end() {
	m.shut(m.open(unix.NFNL_MSG_BATCH_END, 0, 0, unix.NFNL_SUBSYS_NFTABLES, "end"))
}

func (m *messages) pad() {
	for len(m.b)%unix.NLA_ALIGNTO != 0 {
		m.b = append(m.b, 0)
	}
}

// raw writes an attribute.
func (m *messages) raw(kind uint16, value []byte) {
	m.b = binary.NativeEndian.AppendUint16(m.b, uint16(unix.SizeofNlAttr+len(value)))
	m.b = binary.NativeEndian.AppendUint16(m.b, kind)
	m.b = append(m.b, value...)
	m.pad()
}

func (m *messages) text(kind uint16, s string) {
	m.b = binary.NativeEndian.AppendUint16(m.b, uint16(unix.SizeofNlAttr+len(s)+1))
	m.b = binary.NativeEndian.AppendUint16(m.b, kind)
	m.b = append(append(m.b, s...), 0)
	m.pad()
}

func (m *messages) u32(kind uint16, v uint32) {
	m.raw(kind, binary.BigEndian.AppendUint32(nil, v))
}

func (m *messages) u64(kind uint16, v uint64) {
	m.raw(kind, binary.BigEndian.AppendUint64(nil, v))
}

// nest begins an attribute that holds others and returns its place, for close.
func (m *messages) nest(kind uint16) (at int) {
	at = len(m.b)
	m.raw(kind|unix.NLA_F_NESTED, nil)
	return at
}

func (m *messages) close(at int) {
	binary.NativeEndian.PutUint16(m.b[at:], uint16(len(m.b)-at))
}

// An nftWire is a netlink socket to nf_tables in the network namespace in
// which it was opened. One exchange is on it at a time.
//
// It is not google/nftables' own: that one cannot write an element's counter
// or its remaining time, and its batches cannot be given further messages.
type nftWire struct {
	mu    sync.Mutex
	fd    int
	in    []byte
	stale bool // answers to an exchange that failed may still come
}

// The socket's room: a whole ruleset goes in one message to the kernel, and
// an answer for each of many elements comes back.
const (
	nftSendRoom    = 8 << 20
	nftReceiveRoom = 4 << 20
	nftReadRoom    = 64 << 10 // the most that the kernel puts into one read of a dump is 32 KiB
)

func openNFTWire() (*nftWire, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	w := &nftWire{fd: fd, in: make([]byte, nftReadRoom)}
	if err := w.furnish(); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	return w, nil
}

func (w *nftWire) furnish() error {
	if err := unix.Bind(w.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	// Beyond the limits of net.core only who is root outside of namespaces
	// too; else the limits do for some hundred rules.
	for force, plain := range map[int]int{unix.SO_SNDBUFFORCE: unix.SO_SNDBUF, unix.SO_RCVBUFFORCE: unix.SO_RCVBUF} {
		room := nftSendRoom
		if plain == unix.SO_RCVBUF {
			room = nftReceiveRoom
		}
		if unix.SetsockoptInt(w.fd, unix.SOL_SOCKET, force, room) == nil {
			continue
		}
		if err := unix.SetsockoptInt(w.fd, unix.SOL_SOCKET, plain, room); err != nil {
			return err
		}
	}
	// An error need not repeat the message that it is about.
	if err := unix.SetsockoptInt(w.fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1); err != nil {
		return err
	}
	limit := unix.NsecToTimeval(netlinkPatience.Nanoseconds())
	return unix.SetsockoptTimeval(w.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)
}

// close closes the socket. What is asked after it is an error.
func (w *nftWire) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	fd := w.fd
	w.fd = -1
	if fd < 0 {
		return nil
	}
	return unix.Close(fd)
}

// A nftError is an error of the kernel about one message.
type nftError struct {
	what  string
	at    uint32 // number of the message
	errno unix.Errno
}

func (e nftError) Error() string { return fmt.Sprintf("%s: %s", e.what, e.errno) }
func (e nftError) Unwrap() error { return e.errno }

// send hands messages over and reads the answers. The kernel works in the
// sender's own time: when the call returns it is through with them, and every
// answer waits to be read. Each is called with those that are no errors; of
// errors the first counts, but for those that ignore says are none.
func (w *nftWire) send(m *messages, each func(number uint32, body []byte), ignore func(nftError) bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.write(m); err != nil {
		return err
	}
	var first error
	for {
		n, err := w.read(unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) {
			return first
		}
		if err != nil {
			return err
		}
		eachMessage(w.in[:n], func(kind, _ uint16, seq uint32, body []byte) bool {
			switch {
			case kind == unix.NLMSG_ERROR:
				e, bad := readError(m, seq, body)
				if bad && first == nil && (ignore == nil || !ignore(e)) {
					first = e
				}
			case each != nil && len(body) >= 4:
				each(seq, body[4:])
			}
			return true
		})
	}
}

// commit ends a transaction and hands it over.
func (w *nftWire) commit(m *messages) error {
	m.end()
	return w.send(m, nil, nil)
}

// errInterrupted says that the rules were changed while they were read.
var errInterrupted = errors.New("the rules are being changed by another program")

// dump sends one request for a list and hands each entry to each, with the
// kernel's number of the generation of rules that it belongs to.
func (w *nftWire) dump(m *messages, each func(generation uint16, body []byte)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.write(m); err != nil {
		return err
	}
	var failed error
	for done := false; !done; {
		n, err := w.read(0)
		if err != nil {
			return err
		}
		eachMessage(w.in[:n], func(kind, flags uint16, seq uint32, body []byte) bool {
			if flags&unix.NLM_F_DUMP_INTR != 0 {
				failed = errInterrupted
			}
			switch kind {
			case unix.NLMSG_DONE, unix.NLMSG_ERROR:
				if e, bad := readError(m, seq, body); bad {
					failed = e
				}
				done = true
			default:
				if len(body) >= 4 {
					each(binary.BigEndian.Uint16(body[2:]), body[4:])
				}
			}
			return !done
		})
	}
	return failed
}

func (w *nftWire) write(m *messages) error {
	if w.fd < 0 {
		return fmt.Errorf("ask the kernel: %w", os.ErrClosed)
	}
	for w.stale {
		if _, err := w.read(unix.MSG_DONTWAIT); err != nil {
			w.stale = false
		}
	}
	if err := unix.Sendto(w.fd, m.b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask the kernel: %w", err)
	}
	return nil
}

func (w *nftWire) read(flags int) (n int, err error) {
	for {
		n, _, err = unix.Recvfrom(w.fd, w.in, flags)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		w.stale = !errors.Is(err, unix.EAGAIN) || flags == 0
		return 0, fmt.Errorf("hear the kernel's answer: %w", err)
	}
	return n, nil
}

// readError reads the number in an error, an acknowledgement or an end.
func readError(m *messages, seq uint32, body []byte) (e nftError, bad bool) {
	if len(body) < 4 {
		return e, false
	}
	number := int32(binary.NativeEndian.Uint32(body))
	if number >= 0 {
		return e, false
	}
	e = nftError{at: seq, errno: unix.Errno(-number)}
	if int(seq) < len(m.what) {
		e.what = m.what[seq]
	}
	return e, true
}

// eachMessage calls each with every netlink message in b until that says
// false. What is cut off or malformed ends it.
func eachMessage(b []byte, each func(kind, flags uint16, seq uint32, body []byte) bool) {
	for len(b) >= unix.SizeofNlMsghdr {
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			return
		}
		kind, flags := binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint16(b[6:])
		if !each(kind, flags, binary.NativeEndian.Uint32(b[8:]), b[unix.SizeofNlMsghdr:size]) {
			return
		}
		b = b[min((size+3)&^3, len(b)):]
	}
}
