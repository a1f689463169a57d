package dns

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

// The presets are data: one name to a line, comments with "#". The head of
// each says where it is from, of what date, how sure it is and what else it
// opens.
//
//go:embed presets/*.txt
var presetFiles embed.FS

// Presets are the lists of names for the garden that there are, sorted.
func Presets() []string {
	files, err := presetFiles.ReadDir("presets")
	if err != nil {
		panic(err) // it is part of the program
	}
	var all []string
	for _, f := range files {
		all = append(all, strings.TrimSuffix(f.Name(), ".txt"))
	}
	slices.Sort(all)
	return all
}

// Preset is a list of names for the garden. The error names those that there
// are.
func Preset(name string) ([]string, error) {
	if !slices.Contains(Presets(), name) {
		return nil, fmt.Errorf("unknown preset %q: want one of %s", name, strings.Join(Presets(), ", "))
	}
	text, err := presetFiles.ReadFile("presets/" + name + ".txt")
	if err != nil {
		return nil, err
	}
	var hosts []string
	for line := range strings.Lines(string(text)) {
		host, _, _ := strings.Cut(line, "#")
		if host = strings.TrimSpace(host); host != "" {
			hosts = append(hosts, host)
		}
	}
	return hosts, nil
}
