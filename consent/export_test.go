package consent

// The names that a paragraph's When and the texts of a policy may hold.
var (
	Conditions   = conditions
	Placeholders = placeholders
)
