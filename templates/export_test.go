package templates

import "flag"

// Update says that what is generated and the golden files are written anew.
var Update = flag.Bool("update", false, "rewrite pages_gen.go, style_gen.go and the golden files")

var (
	PageTypes = pageTypes
	PageOf    = pageOf
)

// RenderSource renders a page from its sources with html/template.
var RenderSource = renderSource
