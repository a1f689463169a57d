// Package apk writes packages and indexes for apk-tools 3, which OpenWrt has
// from 25.12 on. It follows apk-tools' description of the format, apk-v3(5)
// and apk-package(5), and OpenWrt's convention of what stands under
// /lib/apk/packages (include/package-pack.mk). It is no part of apk-tools.
//
// A file is "ADBd" and a raw deflate stream of: "ADB.", the schema, an ADB
// block with everything but the files' contents, then a SIG block where there
// is a signature, and a DATA block for each file that is not empty. OpenWrt
// signs the index alone: it holds each package's hash, the package those of
// its files.
package apk

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hien-wifi/hien/tools/openwrt/deflate"
	"github.com/hien-wifi/hien/tools/openwrt/parcel"
)

// Schemas: what the ADB block's root is.
const (
	schemaPackage = "pckg"
	schemaIndex   = "indx"
)

// The slots of the objects, by apk-tools' names.
const (
	depName, depVersion, depMatch = 1, 2, 3

	piName, piVersion, piHashes, piDescription, piArch           = 1, 2, 3, 4, 5
	piLicense, piOrigin, piMaintainer, piURL                     = 6, 7, 8, 9
	piInstalledSize, piFileSize, piDepends, piProvides           = 12, 13, 15, 16
	aclMode, aclUser, aclGroup                                   = 1, 2, 3
	fileName, fileACL, fileSize, fileMTime, fileHashes, fileLink = 1, 2, 3, 4, 5, 6
	dirName, dirACL, dirFiles                                    = 1, 2, 3
	scriptPreInst, scriptPostInst, scriptPreDeinst               = 2, 3, 4
	scriptPostDeinst, scriptPreUpgrade, scriptPostUpgrade        = 5, 6, 7
	pkgInfo, pkgPaths, pkgScripts                                = 1, 2, 3
	ndxDescription, ndxPackages                                  = 1, 2
)

// apk's bits for comparing versions.
var matches = map[string]uint64{"=": 1, "<": 2, "<=": 3, ">": 4, ">=": 5}

// A Package is a written package and what an index says of it.
type Package struct {
	Bytes    []byte
	Filename string // name-version.apk: apk makes it itself from the index
	info     info
}

type info struct {
	name, version, description, arch, license, origin, maintainer, url string

	installed, size   uint64
	hash              []byte // SHA-256 of the ADB block
	depends, provides []parcel.Dependency
}

// What apk-package(5) takes as a version.
var version = regexp.MustCompile(`^\d+(\.\d+)*[a-z]?(_(alpha|beta|pre|rc|cvs|svn|git|hg|p)\d*)*(~[0-9a-f]+)?(-r\d+)?$`)

// Write makes a package of a parcel.
func Write(p parcel.Parcel, c *deflate.Compressor) (Package, error) {
	if err := p.Check(); err != nil {
		return Package{}, err
	}
	if !version.MatchString(p.Version.Apk) {
		return Package{}, fmt.Errorf("package %s: %q is no version of apk's", p.Name, p.Version.Apk)
	}
	for _, f := range p.Files {
		if len(f.Data) > mostContent {
			return Package{}, fmt.Errorf("package %s: %s has %d bytes, more than a block holds", p.Name, f.Path, len(f.Data))
		}
	}
	for _, d := range p.Depends {
		if d.Version != "" && !version.MatchString(d.Version) {
			return Package{}, fmt.Errorf("package %s: %s: %q is no version of apk's", p.Name, d, d.Version)
		}
	}
	scripts := scriptsOf(p)
	p.Files = slices.Clone(p.Files) // the caller keeps his
	addLists(&p)
	summary, _, _ := strings.Cut(p.Description, "\n") // apk-package(5): a single line
	pkg := Package{
		Filename: p.Name + "-" + p.Version.Apk + ".apk",
		info: info{
			name: p.Name, version: p.Version.Apk, description: summary, arch: Arch(p.Arch),
			license: p.License, origin: p.Name, maintainer: p.Maintainer, url: p.URL,
			depends:   sorted(p.Depends),
			provides:  []parcel.Dependency{{Name: p.Name + "-any"}}, // as package-pack.mk gives every package
			installed: uint64(max(p.Size(), 1)),                     // 0 is for packages without files
		},
	}

	w := newADB()
	fields := pkg.info.fields(w)
	paths, data := writeTree(w, p)
	fields[piInstalledSize] = w.int(pkg.info.installed)
	hashes, id := w.hole(20)
	fields[piHashes] = hashes
	root := object{pkgInfo: w.object(fields), pkgPaths: paths}
	slots := object{}
	for slot := scriptPreInst; slot <= scriptPostUpgrade; slot++ {
		slots[slot] = w.blob(scripts[slot])
	}
	root[pkgScripts] = w.object(slots)
	w.root(w.object(root))

	// The package's own id: the hash of the block with zeros in its place.
	sum := sha256.Sum256(w.data)
	copy(w.data[id:], sum[:20])
	sum = sha256.Sum256(w.data)
	pkg.info.hash = sum[:]

	// Packages of one program for several architectures differ in the first
	// block alone: it is a stream of its own, so that the rest is compressed
	// once.
	head := appendBlock([]byte("ADB."+schemaPackage), blockADB, w.data)
	var contents []byte
	for _, d := range data {
		place := binary.LittleEndian.AppendUint32(nil, uint32(d.path))
		place = binary.LittleEndian.AppendUint32(place, uint32(d.file))
		contents = appendBlock(contents, blockData, place, d.content)
	}
	pkg.Bytes = slices.Concat([]byte("ADBd"), c.Compress(head, false), c.Compress(contents, true))
	pkg.info.size = uint64(len(pkg.Bytes))
	return pkg, nil
}

// Arch is apk's name of an architecture of OpenWrt's.
func Arch(openwrt string) string {
	if openwrt == "all" {
		return "noarch"
	}
	return openwrt
}

// fields writes what an index knows of a package too, in the slots' order.
func (i info) fields(w *adb) object {
	return object{
		piName:        w.text(i.name),
		piVersion:     w.text(i.version),
		piDescription: w.text(i.description),
		piArch:        w.text(i.arch),
		piLicense:     w.text(i.license),
		piOrigin:      w.text(i.origin),
		piMaintainer:  w.text(i.maintainer),
		piURL:         w.text(i.url),
		piDepends:     dependencies(w, i.depends),
		piProvides:    dependencies(w, i.provides),
	}
}

func sorted(deps []parcel.Dependency) []parcel.Dependency {
	return slices.SortedFunc(slices.Values(deps), func(a, b parcel.Dependency) int { return compare(a.Name, b.Name) })
}

func dependencies(w *adb, deps []parcel.Dependency) value {
	var values []value
	for _, d := range deps {
		o := object{depName: w.text(d.Name), depVersion: w.text(d.Version)}
		if d.Op != "" && d.Op != "=" { // equality is what no match means
			o[depMatch] = w.int(matches[d.Op])
		}
		values = append(values, w.object(o))
	}
	return w.array(values)
}

// A datum is a file's content and the place of its description: the folder's
// and the file's numbers, from 1.
type datum struct {
	path, file int
	content    []byte
}

// writeTree writes the folders, the root among them as apk mkpkg does, each
// with its files; the folders are sorted by path, the files by name.
func writeTree(w *adb, p parcel.Parcel) (value, []datum) {
	inFolder := map[string][]parcel.File{}
	for _, f := range p.Files {
		inFolder[path.Dir(f.Path)] = append(inFolder[path.Dir(f.Path)], f)
	}
	acl := func(mode uint64) value {
		return w.object(object{aclMode: w.int(mode), aclUser: w.text("root"), aclGroup: w.text("root")})
	}
	var data []datum
	var folders []value
	for _, dir := range append([]string{"/"}, p.Folders()...) {
		inside := inFolder[dir]
		slices.SortFunc(inside, func(a, b parcel.File) int { return compare(path.Base(a.Path), path.Base(b.Path)) })
		var files []value
		for i, f := range inside {
			files = append(files, writeFile(w, f, p.Time, acl))
			if len(f.Data) > 0 {
				data = append(data, datum{path: len(folders) + 1, file: i + 1, content: f.Data})
			}
		}
		name := w.text(strings.TrimPrefix(dir, "/"))
		folders = append(folders, w.object(object{dirName: name, dirACL: acl(0o755), dirFiles: w.array(files)}))
	}
	return w.array(folders), data
}

const mostContent = 1<<30 - 16 // a block's length has 30 bits

const modeSymlink = 0o120000 // S_IFLNK

func writeFile(w *adb, f parcel.File, at time.Time, acl func(uint64) value) value {
	o := object{fileName: w.text(path.Base(f.Path))}
	size := len(f.Data)
	if f.Target != "" {
		o[fileLink] = w.blob(append(binary.LittleEndian.AppendUint16(nil, modeSymlink), f.Target...))
		size = len(f.Target) // as lstat says
	} else {
		sum := sha256.Sum256(f.Data)
		o[fileHashes] = w.blob(sum[:])
	}
	o[fileMTime] = w.int(uint64(at.Unix()))
	o[fileSize] = w.int(uint64(size))
	o[fileACL] = acl(uint64(f.Mode.Perm()))
	return w.object(o)
}
