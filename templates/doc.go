// Package templates is what a shopper reads: the pages of the portal and the
// words on them.
//
// There is one Go type for each page; Render writes it as one HTML document
// with its style inside, without script, cookie, storage or anything to be
// fetched, because the small browsers that phones open on a captive network
// have little of that and leave after ten seconds. A page stays under 14 KB,
// which is what a first round trip carries.
//
// The pages' sources are html/*.html and style.css. html/template parses them
// and says how each value is escaped; pages_gen.go and style_gen.go are written
// from that by the tests, and the router links no templates.
//
// A new page is
//
//   - html/NAME.html, which defines "title" and "main" for html/frame.html
//   - a type that embeds Frame, with Render: return render(w, "NAME", p)
//   - its line in pageTypes in source_test.go, and its states in samples
//   - go test ./templates -update, which compiles it and writes golden files
//   - after a change of a type, rm pages_gen.go first, if it is in the way
//
// The words stand in words/*.txt, one file for each language, Vietnamese
// first. What a person is asked and told about data is not among them: those
// words are a policy's (see package consent), whose notice is hashed and kept.
package templates
