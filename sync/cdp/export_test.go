package cdp

import (
	"encoding/json"

	"github.com/hien-wifi/hien"
)

// Encode writes events as one batch, as it is sent at now. An event that its
// consent does not allow is an error.
func Encode(writeKey string, events []hien.Event, now hien.Moment) ([]byte, error) {
	var calls []json.RawMessage
	for _, e := range events {
		more, err := encodeEvent(e, now)
		if err != nil {
			return nil, err
		}
		calls = append(calls, more...)
	}
	return encodeBatch(writeKey, calls, now)
}
