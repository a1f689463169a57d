package setup

// phrases are all that is said, in each language.
var phrases = map[Phrase]map[Language]string{
	unreadable: {
		English:    "/etc/config/%[1]v cannot be read, and is left as it is; mend it first:\n%[2]v",
		Vietnamese: "Không đọc được /etc/config/%[1]v nên giữ nguyên; hãy sửa tệp này trước:\n%[2]v",
	},
	unsaved: {
		English:    "There are changes to %[1]v that were not saved, and they would go into force too. Save or revert them first: in LuCI, or with `uci commit %[2]v` or `uci revert %[2]v`.",
		Vietnamese: "Đang có thay đổi chưa lưu ở %[1]v, chúng sẽ có hiệu lực theo. Hãy lưu hoặc hủy chúng trước: trong LuCI, hoặc bằng `uci commit %[2]v` hay `uci revert %[2]v`.",
	},
	manyZones: {
		English:    "/etc/config/hien has several zones already. Change it by hand, or in LuCI.",
		Vietnamese: "/etc/config/hien đã có nhiều vùng. Hãy sửa bằng tay hoặc trong LuCI.",
	},
	shopsOwn: {
		English:    "%[1]v is the shop's own network: guests cannot be there. Take another one, or new for one of their own.",
		Vietnamese: "%[1]v là mạng riêng của quán, không để khách vào đó được. Hãy chọn mạng khác, hoặc new để tạo mạng riêng cho khách.",
	},
	isUplink: {
		English:    "%[1]v is how the shop reaches the internet: guests cannot be there. Take another one, or new for a network of their own.",
		Vietnamese: "%[1]v là đường ra internet của quán, không để khách vào đó được. Hãy chọn mạng khác, hoặc new để tạo mạng riêng cho khách.",
	},
	sharedZone: {
		English:    "%[1]v shares the firewall zone %[2]v with other networks (%[3]v), and what guests are granted would be granted to those too. Give it a zone of its own first, or answer new for a network of the guests' own.",
		Vietnamese: "%[1]v dùng chung vùng tường lửa %[2]v với mạng khác (%[3]v), quyền mở cho khách sẽ mở cho cả các mạng ấy. Hãy tách vùng riêng trước, hoặc trả lời new để tạo mạng riêng cho khách.",
	},
	noNetwork: {
		English:    "No address is left for a guest network. Say one with --network, as in 10.77.0.1/20.",
		Vietnamese: "Không còn dải địa chỉ nào cho mạng khách. Hãy nêu một dải bằng --network, ví dụ 10.77.0.1/20.",
	},
	badNetwork: {
		English:    "%[1]v does not do for guests: want the router's address in a private network of /16 to /28, as in 10.77.0.1/20 or 192.168.77.1/24.",
		Vietnamese: "%[1]v không dùng được cho khách: cần địa chỉ của bộ định tuyến trong một mạng nội bộ từ /16 đến /28, ví dụ 10.77.0.1/20 hoặc 192.168.77.1/24.",
	},
	takenNetwork: {
		English:    "%[1]v overlaps with %[2]v, which this router uses already: want another one.",
		Vietnamese: "%[1]v trùng với %[2]v mà bộ định tuyến này đang dùng: cần một dải khác.",
	},
	badSSID: {
		English:    "A WiFi's name has 1 to %[1]d bytes (a letter of Vietnamese has up to three) and no space at its ends.",
		Vietnamese: "Tên WiFi dài từ 1 đến %[1]d byte (một chữ có dấu chiếm tới ba byte) và không có dấu cách ở hai đầu.",
	},
	takenSSID: {
		English:    "The shop's own WiFi is called %[1]q already: want another name, or phones mix the two up.",
		Vietnamese: "WiFi riêng của quán đã tên là %[1]q: cần tên khác, nếu không điện thoại sẽ nhầm hai mạng.",
	},
	badName: {
		English:    "The shop's name has 1 to 64 characters in one line.",
		Vietnamese: "Tên quán dài từ 1 đến 64 ký tự, trên một dòng.",
	},
	badID: {
		English:    "The short name has 1 to 32 of a-z, 0-9, - and _, beginning with a letter or digit.",
		Vietnamese: "Tên ngắn gồm 1 đến 32 ký tự a-z, 0-9, - và _, bắt đầu bằng chữ hoặc số.",
	},
	badFact: {
		English:    "--%[1]v has at most %[2]d characters in one line.",
		Vietnamese: "--%[1]v dài tối đa %[2]d ký tự, trên một dòng.",
	},
	badSealKey: {
		English:    "A seal key is hien-seal-1: and 43 characters, as `hien keygen` prints it.",
		Vietnamese: "Khoá niêm phong gồm hien-seal-1: và 43 ký tự, như `hien keygen` in ra.",
	},
	noSealKey: {
		English:    "One of these purposes must reach the person, and that needs the brand's seal key: --seal-key KEY as `hien keygen` prints it, or --seal-key new for a new pair.",
		Vietnamese: "Có mục đích cần liên hệ được với khách, nên cần khoá niêm phong của thương hiệu: --seal-key KHOÁ như `hien keygen` in ra, hoặc --seal-key new để tạo cặp khoá mới.",
	},
	noInterface: {
		English:    "Which network interface are the guests on? This machine has %[1]v.",
		Vietnamese: "Khách dùng giao diện mạng nào? Máy này có %[1]v.",
	},
	noRouter: {
		English:    "This OpenWrt has no network, DHCP or firewall configuration in /etc/config: it is not the shop's router.",
		Vietnamese: "OpenWrt này không có cấu hình network, dhcp hoặc firewall trong /etc/config: đây không phải bộ định tuyến của quán.",
	},
	smallRouter: {
		English:    "This router has %[1]d MiB of memory and Hiên needs %[2]d: it would run out of it and take the shop's network along. Put Hiên on a router with 128 MB or more; this one can stay as an access point.",
		Vietnamese: "Bộ định tuyến này có %[1]d MiB bộ nhớ (RAM), mà Hiên cần %[2]d: sẽ có lúc hết bộ nhớ và kéo theo cả mạng của quán. Hãy dùng bộ định tuyến có RAM từ 128 MB; máy này có thể giữ lại làm điểm phát WiFi (access point).",
	},
	noWAN: {
		English:    "The firewall has no zone wan, by which guests would reach the internet. Hiên must run on the router itself, not on an access point behind it.",
		Vietnamese: "Tường lửa không có vùng wan để khách ra internet. Hiên phải chạy trên chính bộ định tuyến, không phải trên điểm phát WiFi (access point) phía sau nó.",
	},
	takenBridge: {
		English:    "There is another network interface called %[1]v already. Rename it, or take it as the guests' with --interface %[1]v.",
		Vietnamese: "Đã có giao diện mạng khác tên là %[1]v. Hãy đổi tên nó, hoặc dùng luôn cho khách bằng --interface %[1]v.",
	},
	takenZone: {
		English:    "The firewall has another zone called %[1]v, or one for a network of that name. Rename it first.",
		Vietnamese: "Tường lửa đã có vùng khác tên là %[1]v, hoặc vùng cho mạng tên ấy. Hãy đổi tên trước.",
	},
	takenPool: {
		English:    "/etc/config/dhcp has another section for the network %[1]v. Remove it first.",
		Vietnamese: "/etc/config/dhcp đã có mục khác cho mạng %[1]v. Hãy bỏ mục ấy trước.",
	},
	takenName: {
		English:    "/etc/config/%[1]v has a section called %[2]v of another type (%[3]v), and Hiên needs that name. Rename it first.",
		Vietnamese: "/etc/config/%[1]v đã có mục tên %[2]v thuộc loại khác (%[3]v), mà Hiên cần tên này. Hãy đổi tên mục ấy trước.",
	},
	noSuchNetwork: {
		English:    "%[1]v is no network in which guests could be: want new for one of their own, or one of these: %[2]v.",
		Vietnamese: "%[1]v không phải mạng dành cho khách được: cần new để tạo mạng riêng, hoặc một trong số: %[2]v.",
	},
	noRadio: {
		English:    "This router has no WiFi. Say none, and attach an access point to the guest network.",
		Vietnamese: "Bộ định tuyến này không có WiFi. Hãy trả lời none và nối bộ phát WiFi vào mạng khách.",
	},
	whichRadio: {
		English:    "On which WiFi device? There are %[1]v.",
		Vietnamese: "Phát trên thiết bị WiFi nào? Hiện có %[1]v.",
	},
	badRadio: {
		English:    "There is no WiFi device %[1]v, or it was named twice: want some of %[2]v, or all.",
		Vietnamese: "Không có thiết bị WiFi %[1]v, hoặc đã nêu hai lần: cần chọn trong %[2]v, hoặc all.",
	},
	cannotOWE: {
		English:    "This router's WiFi software cannot encrypt without a password: it needs the whole wpad (wpad-mbedtls, say) in the place of wpad-basic.",
		Vietnamese: "Phần mềm WiFi của bộ định tuyến này không mã hoá được khi không có mật khẩu: cần bản wpad đầy đủ (như wpad-mbedtls) thay cho wpad-basic.",
	},
	badYes: {
		English:    "Want yes or no.",
		Vietnamese: "Cần trả lời có hoặc không.",
	},
	manyPartners: {
		English:    "The page has room for %[1]v partners (share_partner), no more.",
		Vietnamese: "Trang chỉ đủ chỗ cho tối đa %[1]v đối tác (share_partner).",
	},
	badPurpose: {
		English:    "%[1]q is no purpose: want numbers or names from the list, with commas between them, or none.",
		Vietnamese: "%[1]q không phải mục đích nào: cần số hoặc tên trong danh sách, cách nhau bằng dấu phẩy, hoặc none.",
	},
	badSender: {
		English:    "%[1]q is no way to send codes: want staff, log for a trial, or none.",
		Vietnamese: "%[1]q không phải cách gửi mã: cần staff, log để dùng thử, hoặc none.",
	},
	staffReaches: {
		English:    "With staff alone no number is taken, so that nobody can be reached: leave those purposes out, or take another way of codes.",
		Vietnamese: "Chỉ có staff thì không lấy số điện thoại nên không liên hệ được với khách: hãy bỏ các mục đích ấy, hoặc chọn cách gửi mã khác.",
	},
	needAnswer: {
		English:    "This needs an answer. Say it with --%[1]v.",
		Vietnamese: "Cần một câu trả lời. Có thể nêu bằng --%[1]v.",
	},

	notHere: {
		English:    "--%[1]v does not apply to this router and the other answers.",
		Vietnamese: "--%[1]v không dùng được với bộ định tuyến này và các câu trả lời khác.",
	},
	noEar: {
		English:    "There is nobody to answer. Give the answers by flags; with --yes what is proposed is taken for the rest.",
		Vietnamese: "Không có ai trả lời. Hãy nêu câu trả lời bằng cờ; với --yes, phần còn lại lấy theo đề nghị.",
	},

	busy: {
		English:    "Another `hien setup` is at work.",
		Vietnamese: "Đang có một `hien setup` khác chạy.",
	},
	waiting: {
		English:    "A setup waits to be confirmed: `hien setup --confirm` keeps it, else everything is put back soon.",
		Vietnamese: "Đang có một lần cài đặt chờ xác nhận: `hien setup --confirm` để giữ, nếu không mọi thứ sẽ sớm trở lại như cũ.",
	},
	nothingWaits: {
		English:    "No setup waits to be confirmed.",
		Vietnamese: "Không có lần cài đặt nào chờ xác nhận.",
	},
	returned: {
		English:    "Everything was put back as it was before.",
		Vietnamese: "Mọi thứ đã trở lại như trước.",
	},

	otherID: {
		English:    "The shop's short name was %[1]v. What guests have agreed to under it stays, and counts as another shop's upstream.",
		Vietnamese: "Tên ngắn của quán trước đây là %[1]v. Những gì khách đã đồng ý dưới tên đó vẫn còn, và sẽ được tính như của quán khác.",
	},
	noSuchLink: {
		English:    "There is no network interface %[1]v at present.",
		Vietnamese: "Hiện chưa có giao diện mạng %[1]v.",
	},
	plainNeeds: {
		English:    "Guests on %[1]v need addresses by DHCP from this machine, a resolver on it (127.0.0.1:53), and net.ipv4.ip_forward=1. Hiên leaves all three to you.",
		Vietnamese: "Khách trên %[1]v cần được máy này cấp địa chỉ bằng DHCP, có bộ phân giải tên (127.0.0.1:53) và net.ipv4.ip_forward=1. Ba việc này Hiên để bạn lo.",
	},
	zoneOpen: {
		English:    "The firewall zone %[1]v lets guests reach this router itself (input ACCEPT), and nothing but Hiên's own rules keeps them from LuCI. Set it to REJECT to be safe: what Hiên needs is granted beside it.",
		Vietnamese: "Vùng tường lửa %[1]v cho khách tới chính bộ định tuyến này (input ACCEPT), chỉ còn luật của Hiên ngăn họ vào LuCI. Nên đặt REJECT cho chắc: phần Hiên cần đã được mở riêng.",
	},
	noPool: {
		English:    "This router gives no addresses on %[1]v (option ignore in /etc/config/dhcp). Guests need them from another DHCP server there, with this router as their gateway.",
		Vietnamese: "Bộ định tuyến này không cấp địa chỉ trên %[1]v (option ignore trong /etc/config/dhcp). Khách cần được máy chủ DHCP khác ở đó cấp, với bộ định tuyến này làm cổng ra.",
	},
	notIsolated: {
		English:    "On the WiFi %[1]q guests' devices reach each other. Tick “Isolate Clients” for it in LuCI.",
		Vietnamese: "Trên WiFi %[1]q, thiết bị của khách thấy được nhau. Hãy chọn “Isolate Clients” cho WiFi này trong LuCI.",
	},
	noWiFi: {
		English:    "No WiFi is made for guests. Put an access point or a port into the bridge %[1]v.",
		Vietnamese: "Không tạo WiFi cho khách. Hãy nối bộ phát WiFi hoặc một cổng mạng vào cầu nối %[1]v.",
	},
	radioOff: {
		English:    "%[1]v is switched off, and stays so. Guests see its WiFi once you switch it on in LuCI under Network, Wireless.",
		Vietnamese: "%[1]v đang tắt và vẫn để tắt. Khách sẽ thấy WiFi này khi bạn bật nó trong LuCI, mục Network, Wireless.",
	},
	incomplete: {
		English:    "Guests are greeted and let in, and asked nothing, until the settings have: %[1]v. LuCI has them under \"Who answers for the data\".",
		Vietnamese: "Khách được chào và mời vào, chưa được hỏi gì, cho đến khi cài đặt có đủ: %[1]v. Trong LuCI: \"Ai chịu trách nhiệm về dữ liệu\".",
	},
	unnamedCarrier: {
		English:    "Guests are greeted and let in, and asked nothing, until the notice can say who is given their number to send the code: write option carrier of the sender of type webhook in /etc/config/hien.",
		Vietnamese: "Khách được chào và mời vào, chưa được hỏi gì, cho đến khi thông báo nói được ai nhận số để gửi mã: hãy ghi option carrier của config sender loại webhook trong /etc/config/hien.",
	},
	noSender: {
		English:    "Nothing sends codes yet, so that no number is asked: the portal greets and lets in.",
		Vietnamese: "Chưa có cách gửi mã nên chưa hỏi số điện thoại: trang chào chỉ chào và mời vào.",
	},
	trialSender: {
		English:    "Codes are only written into the router's log: for trials, since that proves no number.",
		Vietnamese: "Mã chỉ được ghi vào nhật ký của bộ định tuyến: chỉ để dùng thử, vì như vậy không chứng minh được số nào.",
	},
	tillsCode: {
		English:    "The code for the till: `hien staff-code --watch`, or LuCI's page for today.",
		Vietnamese: "Mã để xem ở quầy: `hien staff-code --watch`, hoặc trang hôm nay trong LuCI.",
	},

	askName:        {English: "What is the shop called? Guests read it on the page.", Vietnamese: "Quán tên là gì? Khách sẽ đọc tên này trên trang chào."},
	askID:          {English: "A short name for machines, of a-z, 0-9 and -. Do not change it later.", Vietnamese: "Tên ngắn cho máy, gồm a-z, 0-9 và -. Sau này đừng đổi."},
	askInterface:   {English: "Where shall the guests be?", Vietnamese: "Khách sẽ ở mạng nào?"},
	ownChoice:      {English: "new: a network of their own, apart from the shop's", Vietnamese: "new: một mạng riêng, tách khỏi mạng của quán"},
	existingChoice: {English: "%[1]v: the network %[2]v that is there, %[3]v", Vietnamese: "%[1]v: mạng %[2]v đang có, %[3]v"},
	askLink:        {English: "Which network interface are the guests on? This machine has %[1]v.", Vietnamese: "Khách dùng giao diện mạng nào? Máy này có %[1]v."},
	askNetwork:     {English: "The router's address in the guest network. If in doubt, leave it.", Vietnamese: "Địa chỉ của bộ định tuyến trong mạng khách. Nếu không rõ, cứ để nguyên."},
	askSSID:        {English: "What shall the guests' WiFi be called? none makes no WiFi.", Vietnamese: "WiFi cho khách tên là gì? Trả lời none nếu không tạo WiFi."},
	askRadios:      {English: "On which WiFi devices? There are %[1]v; all means each of them.", Vietnamese: "Phát trên thiết bị WiFi nào? Có %[1]v; all là tất cả."},
	askOWE:         {English: "Guests need no password. Shall newer phones be encrypted all the same?", Vietnamese: "Khách không cần mật khẩu. Có mã hoá cho điện thoại đời mới không?"},
	askPurposes: {English: "What may guests be asked for, each in a box of its own that is not ticked?\nNumbers with commas between them, or none: then the portal greets and lets in.",
		Vietnamese: "Xin phép khách những gì? Mỗi mục là một ô riêng, không đánh dấu sẵn.\nGhi các số, cách nhau bằng dấu phẩy, hoặc none: khi đó chỉ chào và mời vào."},
	askController: {English: "Who answers for what guests agree to? The company or person, as registered. none leaves it open, and nothing is asked until it is known.",
		Vietnamese: "Ai chịu trách nhiệm về dữ liệu của khách? Tên công ty hoặc chủ hộ như trong giấy đăng ký. Trả lời none để sau, khi đó chưa hỏi khách gì."},
	askAddress: {English: "Its postal address.", Vietnamese: "Địa chỉ của công ty hoặc chủ hộ ấy."},
	askTaxID:   {English: "Its tax id.", Vietnamese: "Mã số thuế."},
	askContact: {English: "How do guests reach whoever answers for their data? An address for mail, or a telephone number.",
		Vietnamese: "Khách hỏi về dữ liệu của mình qua đâu? Thư điện tử hoặc số điện thoại."},
	askSealKey: {English: "The brand's seal key, under which numbers are sealed (hien-seal-1:…). new makes a pair and shows you the private half once.",
		Vietnamese: "Khoá niêm phong của thương hiệu, dùng để niêm phong số điện thoại (hien-seal-1:…). new tạo một cặp khoá và cho bạn xem phần bí mật một lần."},
	askSender: {English: "How do guests get a code? staff sends none: the shop's till shows it, and no number is taken. log writes it into the router's log, for a trial. none leaves it open, and nothing is asked that needs a code.",
		Vietnamese: "Khách lấy mã bằng cách nào? staff không gửi gì: quầy cho xem mã, không lấy số điện thoại. log ghi mã vào nhật ký của bộ định tuyến để dùng thử. none để sau, khi đó chưa hỏi điều gì cần mã."},
	askMasquerade:  {English: "Shall Hiên let guests share this machine's own IPv4 address? Say no if something else on it does so (NAT).", Vietnamese: "Cho khách dùng chung địa chỉ IPv4 của máy này? Trả lời không nếu đã có phần mềm khác làm việc đó (NAT)."},
	purposeVisits:  {English: "remember visits", Vietnamese: "ghi nhớ những lần ghé quán"},
	purposeZalo:    {English: "messages on Zalo", Vietnamese: "nhắn tin qua Zalo"},
	purposeSMS:     {English: "messages by SMS", Vietnamese: "nhắn tin SMS"},
	purposeAds:     {English: "advertising audiences", Vietnamese: "nhóm đối tượng quảng cáo"},
	purposeProfile: {English: "what guests tell the staff", Vietnamese: "điều khách kể thêm tại quầy"},
	yesWord:        {English: "yes", Vietnamese: "có"},
	noWord:         {English: "no", Vietnamese: "không"},

	goAhead: {
		English:    "Make these %[1]d changes? All are in sections of Hiên's own; the shop's network and its internet are not touched. WiFi may be away for some seconds.",
		Vietnamese: "Thực hiện %[1]d thay đổi này? Tất cả nằm trong các mục riêng của Hiên, không đụng tới mạng và đường internet của quán. WiFi có thể gián đoạn vài giây.",
	},
	goPlain: {
		English:    "Write Hiên's configuration?",
		Vietnamese: "Ghi cấu hình của Hiên?",
	},
	goUndo: {
		English:    "Take Hiên out of this router: its guest network, its WiFi and its firewall rules (%[1]d changes)? Guests there lose the internet at once. What they agreed to stays in the record.",
		Vietnamese: "Gỡ Hiên khỏi bộ định tuyến này: mạng khách, WiFi khách và các luật tường lửa (%[1]d thay đổi)? Khách đang dùng sẽ mất internet ngay. Những gì khách đã đồng ý vẫn được lưu.",
	},
	sealMade: {
		English:    "This key opens the numbers that your shops collect. Keep it away from every router; without it nobody can read them, you included. It is shown once and written nowhere:",
		Vietnamese: "Khoá này mở được các số điện thoại mà quán thu thập. Đừng để nó trên bộ định tuyến nào; thiếu nó thì không ai đọc được, kể cả bạn. Nó chỉ hiện một lần và không được ghi ở đâu:",
	},
	sealKept:  {English: "Have you written it down?", Vietnamese: "Bạn đã ghi lại chưa?"},
	Working:   {English: "The router takes the changes over, and a guest is played. This takes up to a minute.", Vietnamese: "Bộ định tuyến đang nhận các thay đổi, rồi thử vào mạng như một vị khách. Mất tối đa một phút."},
	served:    {English: "Guests are served: the portal opens.", Vietnamese: "Khách vào được: trang chào mở ra."},
	notServed: {English: "Guests are not served as they should be:", Vietnamese: "Khách chưa được phục vụ đúng:"},
	unproven: {
		English:    "Nothing bad was found, but no guest could be played: whether phones get to the portal is not proven. Try it with a phone.",
		Vietnamese: "Không thấy gì sai, nhưng không thử vào mạng như một vị khách được: chưa kiểm chứng điện thoại có mở được trang chào hay không. Hãy thử bằng một điện thoại.",
	},
	keepIt: {
		English:    "Keep it so? Look whether the shop's own devices still work, then answer yes within %[1]d minutes; else everything is put back as it was. `hien setup --confirm` in another terminal does the same.",
		Vietnamese: "Giữ nguyên như vậy? Hãy xem thiết bị của quán còn chạy không, rồi trả lời có trong %[1]d phút; nếu không, mọi thứ sẽ trở lại như cũ. Lệnh `hien setup --confirm` ở cửa sổ khác cũng được.",
	},
	Kept:      {English: "Hiên is set up.", Vietnamese: "Đã cài đặt xong Hiên."},
	Nothing:   {English: "Everything is so already.", Vietnamese: "Mọi thứ đã đúng như vậy."},
	Untouched: {English: "Nothing was changed.", Vietnamese: "Chưa thay đổi gì."},
	Undone:    {English: "Hiên is out of this router's configuration. The record and the keys stay; `hien setup` sets it up again.", Vietnamese: "Đã gỡ Hiên khỏi cấu hình bộ định tuyến. Sổ ghi và khoá vẫn còn; `hien setup` sẽ cài đặt lại."},
	Recovered: {English: "A setup that nobody had confirmed was put back.", Vietnamese: "Một lần cài đặt chưa được xác nhận đã được trả lại như cũ."},
	Written:   {English: "%[1]v is written.", Vietnamese: "Đã ghi %[1]v."},
	Enable:    {English: "Start it now and at every boot: `systemctl enable --now hien`.", Vietnamese: "Khởi động ngay và mỗi khi mở máy: `systemctl enable --now hien`."},
	StartBy:   {English: "Start it with `hien run`, and at every boot.", Vietnamese: "Khởi động bằng `hien run`, và mỗi khi mở máy."},
}
