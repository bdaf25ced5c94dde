// Command registry is an image registry for the release rehearsal: the reference implementation, on a free port of
// 127.0.0.1, with its data in the folder that is its one argument. It prints the address that it listens on, and ends
// when its standard input does, so that it does not outlive who started it. No TLS, no users, no deletion.
//
// FOLDER/faults makes it a registry in trouble: each line is a method, a part of a path and the status that is answered.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/sirupsen/logrus"
)

const settings = `
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %q}}
http: {secret: of-one-rehearsal}
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: registry FOLDER")
	}
	config, err := configuration.Parse(strings.NewReader(fmt.Sprintf(settings, args[0])))
	if err != nil {
		return err
	}
	logrus.SetLevel(logrus.ErrorLevel)
	app := handlers.NewApp(context.Background(), config)
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println(listener.Addr())
	return http.Serve(listener, faulty(filepath.Join(args[0], "faults"), app))
}

func faulty(file string, registry http.Handler) http.Handler {
	return http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		faults, _ := os.ReadFile(file)
		for line := range strings.Lines(string(faults)) {
			var method, path string
			var status int
			count, _ := fmt.Sscan(line, &method, &path, &status)
			if count == 3 && request.Method == method && strings.Contains(request.URL.Path, path) {
				http.Error(answer, http.StatusText(status), status)
				return
			}
		}
		registry.ServeHTTP(answer, request)
	})
}
