package firewall

import (
	"encoding/binary"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hien-wifi/hien/internal/world"
	"golang.org/x/sys/unix"
)

// said is a message of the kernel's news.
func said(kind uint16, size int) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+size))
	b = binary.NativeEndian.AppendUint16(b, kind)
	return append(b, make([]byte, unix.SizeofNlMsghdr-6+(size+3)&^3)...)
}

const nft = unix.NFNL_SUBSYS_NFTABLES << 8

func TestWhichNewsMatter(t *testing.T) {
	admitted := join(said(nft|unix.NFT_MSG_NEWSETELEM, 61), said(nft|unix.NFT_MSG_NEWGEN, 44))
	for _, c := range []struct {
		name string
		of   source
		b    []byte
		want bool
	}{
		{"a guest is admitted", filterNews, admitted, false},
		{"a guest's time is over", filterNews, said(nft|unix.NFT_MSG_DELSETELEM, 60), false},
		{"a rule goes", filterNews, said(nft|unix.NFT_MSG_DELRULE, 60), true},
		{"a rule comes", filterNews, said(nft|unix.NFT_MSG_NEWRULE, 60), true},
		{"a table goes behind a guest that comes", filterNews, join(admitted, said(nft|unix.NFT_MSG_DELTABLE, 20)), true},
		{"a set goes", filterNews, said(nft|unix.NFT_MSG_DELSET, 20), true},
		{"a connection ends", filterNews, said(unix.NFNL_SUBSYS_CTNETLINK<<8|2, 20), false},
		{"a policy rule goes", gateNews, said(unix.RTM_DELRULE, 20), true},
		{"a route comes", routeNews, said(unix.RTM_NEWROUTE, 20), true},
		{"a link comes", routeNews, said(unix.RTM_NEWLINK, 20), false},
		{"nothing", gateNews, nil, false},
		{"a message that is cut off", gateNews, said(unix.RTM_NEWRULE, 20)[:18], true},
		{"a message of no length", gateNews, make([]byte, 32), false},
	} {
		if got := c.of.anyMatters(c.b); got != c.want {
			t.Errorf("%s: got %t, want %t", c.name, got, c.want)
		}
	}
}

func FuzzNews(f *testing.F) {
	f.Add(join(said(nft|unix.NFT_MSG_NEWSETELEM, 61), said(nft|unix.NFT_MSG_NEWGEN, 44)))
	f.Add(said(unix.RTM_NEWROUTE, 20))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range []source{filterNews, gateNews, routeNews} {
			s.anyMatters(b)
		}
		defaultOuts(b)
		readLink(b)
	})
}

// TestNewsThatWereLost lets a socket overflow that nobody reads.
func TestNewsThatWereLost(t *testing.T) {
	world.Need(t) // the process is in a network namespace of its own
	deaf := gateNews
	deaf.matters = func(uint16) bool { return false }
	socket, err := deaf.listen()
	if err != nil {
		t.Fatal(err)
	}
	g, err := openGate(true)
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	for range 300 {
		if err := errors.Join(g.hold([]string{"br-guest"}, bit), g.open()); err != nil {
			t.Fatal(err)
		}
	}
	b, ended := newBell(), make(chan error, 1)
	go func() { ended <- deaf.hear(socket, b) }()
	<-b
	socket.Close()
	if err := <-ended; err != nil {
		t.Errorf("closed: got %v, want nil", err)
	}
}

func TestOnNewsRestsAsLongAsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		ended := make(chan bool)
		ctx := t.Context()
		go func() {
			onNews(ctx, newBell(), time.Minute, func() time.Duration { calls.Add(1); return time.Hour })
			close(ended)
		}()
		time.Sleep(2 * time.Hour)
		if n := calls.Load(); n < 2 || n > 3 {
			t.Errorf("%d calls in two hours that each rest for one, want 2", n)
		}
	})
}
