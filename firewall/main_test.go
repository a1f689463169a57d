package firewall_test

import (
	"testing"

	"github.com/hien-wifi/hien/internal/world"
)

func TestMain(m *testing.M) { world.Main(m) }
