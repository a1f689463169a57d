package control

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
)

// maxPath is the longest path that is taken, in bytes.
const maxPath = 1024

// backup answers a backup; ?spool= says where the copy lies meanwhile.
func (s *Server) backup(w http.ResponseWriter, r *http.Request) {
	spool := r.URL.Query().Get("spool")
	if spool != "" && (!filepath.IsAbs(spool) || len(spool) > maxPath) {
		s.write(w, http.StatusBadRequest, problem{"spool: want an absolute path"})
		return
	}
	s.stream(w, func(out io.Writer) error { return s.house.Backup(r.Context(), out, spool) })
}

// Backup writes a backup to w. One that was cut off is an error.
func (c *Client) Backup(ctx context.Context, w io.Writer, spool string) error {
	what := "backup"
	if spool != "" {
		what += "?spool=" + url.QueryEscape(spool)
	}
	_, err := c.stream(ctx, w, http.MethodGet, what, nil)
	return err
}
