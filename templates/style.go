package templates

import (
	"crypto/sha256"
	"encoding/base64"
)

// StyleHash is the source expression by which a Content-Security-Policy lets
// the pages' style through and no other (CSP Level 3, section 2.3.1).
var StyleHash = func() string {
	sum := sha256.Sum256([]byte(style))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()
