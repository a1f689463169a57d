package doctor

import (
	"errors"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/hien-wifi/hien/internal/world"
)

// TestTheKernelSaysThatItHasNoSuchCable asks it for a kind of interface that no
// kernel has, as veth is on a router without kmod-veth.
func TestTheKernelSaysThatItHasNoSuchCable(t *testing.T) {
	world.Need(t) // the process is in a network namespace of its own
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "cable0"
	err := netlink.LinkAdd(&netlink.GenericLink{LinkAttrs: attrs, LinkType: "hien-cable"})
	if err == nil || !errors.Is(cableError(err), errNoVeth) {
		t.Errorf("got %v, which becomes %v; want that the kernel has no veth", err, cableError(err))
	}
}
