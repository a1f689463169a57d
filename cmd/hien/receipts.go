package main

import (
	"context"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// receipts is what the portal may do with a receipt: who holds its secret may
// see it and take the consent back.
type receipts struct {
	house *hien.Gateway
}

func (r receipts) Receipt(ctx context.Context, secret string) (hien.Receipt, error) {
	return r.house.Receipt(ctx, secret)
}

func (r receipts) Withdraw(ctx context.Context, secret string, purposes []consent.Purpose, now hien.Moment) error {
	return r.house.Withdraw(ctx, hien.Who{Receipt: hien.ReceiptHash(secret)}, purposes, "portal", now)
}
