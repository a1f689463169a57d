package firewall

// PretendHashMAC makes the door believe that the kernel has hash:mac.
func (f *Firewall) PretendHashMAC() { f.kernel.V6 = HashMAC }
