package portal

import (
	"net/http"

	"github.com/gorilla/mux"
)

// routes is the whole table: who may ask for what. The first row that fits
// answers. Every row but the first is on the portal's own address or name; who
// asks is told by the socket (see device), and a POST must come from a page of
// the portal (see page).
func (s *Server) routes() http.Handler {
	// SkipClean: otherwise mux answers //x with a 301, which phones keep.
	r := mux.NewRouter().SkipClean(true)

	// Any host but our own, any path, any method: the phones' probes.
	r.MatcherFunc(s.foreign).HandlerFunc(s.redirect)

	// Phones that were told of the API by DHCP. Over TLS alone (RFC 8908,
	// section 4); it tables its methods itself.
	r.Path(APIPath).MatcherFunc(secure).HandlerFunc(s.api)

	// Methods stand on the main router: under a subrouter a wrong method
	// can come out as an unknown path (mux v1.8.1).
	get := func(path string, p page) { r.Path(path).Methods("GET", "HEAD").Handler(s.page(p)) }
	post := func(path string, p page) { r.Path(path).Methods("POST").Handler(s.page(p)) }

	// Where the guest stands: the question, the code, or online.
	get("/", s.home)
	get("/code", s.code)
	get("/online", s.online)
	get("/trouble", s.trouble)

	// The two answers.
	post("/skip", s.skip) // go on without
	post("/join", s.join) // a number and purposes

	// The whole notice, and back to the question, with what was typed.
	get("/notice", s.notice)
	post("/notice", s.notice)
	post("/", s.back)

	post("/code", s.prove)
	post("/code/again", s.again) // send another
	post("/code/other", s.other) // give another number

	// Whoever has the secret may see the receipt, take its consent back, see
	// everything that is kept of the person, and have it erased.
	get("/receipt/{secret}", s.receipt)
	get("/receipt/{secret}/notice", s.wording)
	get("/receipt/{secret}/data", s.data)
	get("/receipt/{secret}/data.txt", s.dataText)
	get("/receipt/{secret}/data.json", s.dataJSON)
	post("/receipt/{secret}/withdraw", s.withdraw)
	post("/receipt/{secret}/erase", s.erase)

	// And change the number.
	get("/receipt/{secret}/number", s.number)
	post("/receipt/{secret}/number", s.changeNumber)
	post("/receipt/{secret}/number/code", s.confirmNumber)
	post("/receipt/{secret}/number/other", s.anotherNewNumber)

	// The way to one's own data without a receipt.
	get("/mine", s.mine)
	post("/mine", s.inquire)
	post("/mine/code", s.confirm)
	post("/mine/other", s.anotherNumber)
	post("/mine/withdraw", s.takeBack)

	// That something was erased, to whoever has the entry's random name.
	get("/erased/{entry}", s.erased)

	r.NotFoundHandler = http.HandlerFunc(s.redirect)
	// A form's address opened from the history, say: back to where the
	// guest stands. A 405 would be a blank page in a phone's sheet.
	r.MethodNotAllowedHandler = s.page(func(w http.ResponseWriter, r *http.Request) error {
		s.see(w, r, "/")
		return nil
	})
	return r
}
