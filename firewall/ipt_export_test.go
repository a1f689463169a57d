package firewall

// Fingerprint is that of the iptables back end.
func (f *Firewall) Fingerprint() (uint64, error) { return f.back.(*iptablesBackend).fingerprint() }
