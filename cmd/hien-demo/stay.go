package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hien-wifi/hien/internal/world"
)

func splitComma(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// stay starts the gateway again with everyday terms and opens, on the
// machine's loopback, the portal as two new phones see it, until ctx ends.
func (s *story) stay(ctx context.Context, views []net.Listener) error {
	if err := s.gateway.Configure(world.Terms{Pass: 4 * time.Hour, VisitGap: 30 * time.Minute}); err != nil {
		return err
	}
	if s.like != "" {
		if err := s.dressUp(); err != nil {
			return err
		}
	}
	codes := world.EachLine(func(line string) {
		if code, err := world.CodeIn(line); err == nil {
			fmt.Fprintf(s.out, "a code was sent: %s\n", code)
		}
	})
	if err := s.gateway.Start(ctx, codes); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for i, l := range views {
		phone, err := s.world.AddPhone(fmt.Sprintf("view-%d", i+1))
		if err != nil {
			return err
		}
		if err := phone.Join(ctx); err != nil {
			return err
		}
		server := &http.Server{Handler: view(phone, s.world.Router.GuestV4()), ReadHeaderTimeout: 10 * time.Second}
		group.Go(func() error {
			if err := server.Serve(l); err != http.ErrServerClosed {
				return err
			}
			return nil
		})
		group.Go(func() error {
			<-ctx.Done()
			return server.Close()
		})
		fmt.Fprintf(s.out, "phone %d sees the portal at  http://%s/   (English: http://%s/?lang=en)\n", i+1, l.Addr(), l.Addr())
	}
	fmt.Fprintln(s.out, "The codes appear here. Ctrl-C ends the world.")
	if err := group.Wait(); err != nil {
		return err
	}
	stopping, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return s.gateway.Daemon.Stop(stopping)
}

// view hands a browser's requests to the portal from within a phone.
func view(phone *world.Phone, router fmt.Stringer) http.Handler {
	portal := &url.URL{Scheme: "http", Host: net.JoinHostPort(router.String(), "2050")}
	return &httputil.ReverseProxy{
		Transport: &http.Transport{DialContext: phone.Dial, DisableKeepAlives: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(portal)
			r.Out.Host = portal.Host
			if r.In.Header.Get("Origin") != "" {
				r.Out.Header.Set("Origin", portal.String())
			}
		},
		ModifyResponse: func(answer *http.Response) error {
			if to, ok := strings.CutPrefix(answer.Header.Get("Location"), portal.String()); ok {
				answer.Header.Set("Location", to)
			}
			return nil
		},
	}
}
