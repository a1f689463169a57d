package presence

import (
	"context"
	"net/netip"

	"github.com/vishvananda/netlink"

	"github.com/hien-wifi/hien"
)

// Filter is the program that the kernel runs on each frame.
var Filter = filter

// FilterSYN is the program with first packets.
var FilterSYN = filterSYN()

// Search is MAC as it is on a kernel before 5.0.
func (n *Neighbours) Search(addr netip.Addr) (hien.MAC, error) {
	neigh, err := n.search(addr)
	if err != nil {
		return hien.MAC{}, err
	}
	mac, _ := valid(neigh)
	return mac, nil
}

// LinkGoneTold is LinkGone that closes watching once it has looked.
func LinkGoneTold(ctx context.Context, name string, index int, watching chan<- struct{}) error {
	stays := linkStays(index)
	return followLink(ctx, name, func(link netlink.Link) bool {
		if watching != nil {
			defer close(watching)
			watching = nil
		}
		return stays(link)
	})
}

// Break makes the next frame panic.
func (d *Decoder) Break() { d.parser = nil }
