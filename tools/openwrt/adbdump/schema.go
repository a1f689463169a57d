package adbdump

// A kind is what a slot must hold.
type kind int

const (
	text   kind = iota // a blob that is printed as it is
	binary             // a blob that is printed in hexadecimal
	number
	octal
	dependency // an object, printed as apk writes it
	objectOf
	arrayOf
)

// A field is one slot's name and kind, and the schema of an object or of an
// array's items.
type field struct {
	name   string
	kind   kind
	schema *schema
}

// A schema is the slots of an object, from 1, or for an array one field that
// all items have.
type schema []field

// The schemas of apk-tools 3, from apk-package(5) and its headers. Field names
// are those that `apk adbdump` prints.
var (
	dependencySchema = schema{{"name", text, nil}, {"version", text, nil}, {"match", number, nil}}
	dependencies     = schema{{"", dependency, &dependencySchema}}
	strings32        = schema{{"", text, nil}}

	infoSchema = schema{
		{"name", text, nil}, {"version", text, nil}, {"hashes", binary, nil}, {"description", text, nil},
		{"arch", text, nil}, {"license", text, nil}, {"origin", text, nil}, {"maintainer", text, nil},
		{"url", text, nil}, {"repo-commit", binary, nil}, {"build-time", number, nil},
		{"installed-size", number, nil}, {"file-size", number, nil}, {"provider-priority", number, nil},
		{"depends", arrayOf, &dependencies}, {"provides", arrayOf, &dependencies},
		{"replaces", arrayOf, &dependencies}, {"install-if", arrayOf, &dependencies},
		{"recommends", arrayOf, &dependencies}, {"layer", number, nil}, {"tags", arrayOf, &strings32},
	}
	aclSchema  = schema{{"mode", octal, nil}, {"user", text, nil}, {"group", text, nil}, {"xattrs", arrayOf, &xattrs}}
	xattrs     = schema{{"", binary, nil}}
	fileSchema = schema{
		{"name", text, nil}, {"acl", objectOf, &aclSchema}, {"size", number, nil}, {"mtime", number, nil},
		{"hashes", binary, nil}, {"target", binary, nil},
	}
	files     = schema{{"", objectOf, &fileSchema}}
	dirSchema = schema{{"name", text, nil}, {"acl", objectOf, &aclSchema}, {"files", arrayOf, &files}}
	dirs      = schema{{"", objectOf, &dirSchema}}

	scriptsSchema = schema{
		{"trigger", text, nil}, {"pre-install", text, nil}, {"post-install", text, nil}, {"pre-deinstall", text, nil},
		{"post-deinstall", text, nil}, {"pre-upgrade", text, nil}, {"post-upgrade", text, nil},
	}
	packageSchema = schema{
		{"info", objectOf, &infoSchema}, {"paths", arrayOf, &dirs}, {"scripts", objectOf, &scriptsSchema},
		{"triggers", arrayOf, &strings32}, {"replaces-priority", number, nil},
	}

	infos       = schema{{"", objectOf, &infoSchema}}
	indexSchema = schema{{"description", text, nil}, {"packages", arrayOf, &infos}, {"pkgname-spec", text, nil}}

	roots = map[string]*schema{"pckg": &packageSchema, "indx": &indexSchema}
)
