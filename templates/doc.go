// Package templates is what a shopper reads: the pages of the portal and the
// words on them.
//
// There is one Go type for each page; Render writes it as one HTML document
// with its style inside, without script, cookie, storage or anything to be
// fetched, because the small browsers that phones open on a captive network
// have little of that and leave after ten seconds. A page stays under 14 KB,
// which is what a first round trip carries.
//
// The words stand in words/*.txt, one file for each language, Vietnamese
// first. Notice makes of them the notice that is put before a person, whose
// text is hashed and kept.
package templates
