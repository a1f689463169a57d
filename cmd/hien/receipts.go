package main

import (
	"context"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// receipts is what the portal may do with a receipt: who holds its secret may
// see it, take the consent back, see everything that is kept, and have it
// erased.
type receipts struct {
	house *hien.Gateway
}

func (r receipts) Receipt(ctx context.Context, secret string) (hien.Receipt, error) {
	return r.house.Receipt(ctx, secret)
}

func (r receipts) Withdraw(ctx context.Context, secret string, purposes []consent.Purpose, now hien.Moment) error {
	return r.house.Withdraw(ctx, hien.Who{Receipt: hien.ReceiptHash(secret)}, purposes, "portal", now)
}

func (r receipts) Everything(ctx context.Context, secret string) ([]hien.Person, error) {
	return r.house.Person(ctx, hien.Who{Receipt: hien.ReceiptHash(secret)})
}

func (r receipts) Erase(ctx context.Context, secret string, now hien.Moment) (hien.Gone, error) {
	return r.house.Erase(ctx, hien.Who{Receipt: hien.ReceiptHash(secret)}, "portal", now)
}

func (r receipts) ErasedAt(ctx context.Context, seq uint64, id consent.ID) (hien.Moment, error) {
	return r.house.ErasedAt(ctx, seq, id)
}
