package cdp

import (
	"encoding/json"

	"github.com/hien-wifi/hien"
)

// Encode writes events as one batch, as it is sent at now. An event that its
// consent does not allow is an error.
func Encode(writeKey string, events []hien.Event, now hien.Moment) ([]byte, error) {
	calls := make([]json.RawMessage, len(events))
	for i, e := range events {
		text, err := encodeEvent(e, now)
		if err != nil {
			return nil, err
		}
		calls[i] = text
	}
	return encodeBatch(writeKey, calls, now)
}
