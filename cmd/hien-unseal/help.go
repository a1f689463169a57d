package main

// What each command's help says, at most 80 columns wide.
const (
	keygenHelp = `
It makes two secrets of a brand, each in a file of its own: brand.key, which
turns a number into a lead key and goes onto the routers of a single shop, and
unseal.key, which opens sealed numbers and goes onto no router. A file that is
there is kept. What it prints goes into the routers' configuration.

With --paper it writes a page to be printed, with both secrets as text and QR
code and what to do with them, in Vietnamese and English. Print it and delete
the page. With --next a new brand key is put in front of the one in the file:
people are found under either until the old line is taken out.

Examples:
    hien-unseal keygen --paper keys.html
    hien-unseal keygen --next
    hien-unseal keygen --access-log
`
	checkHelp = `
It says of each file which key it holds, by the print that stands on the paper
and, for the seal key, by the line of the routers' configuration. The keys
themselves are not shown.

Example:
    hien-unseal check brand.key unseal.key
`
	openHelp = `
It reads leads as hien leads export writes them, or what a CDP exports: CSV with
the columns sealed_phone and sealed_for, or JSON in which objects have them
(traits.sealed_phone and traits_sealed_phone will do). Without FILE it reads
standard input. It writes the same rows with a column phone in place of
sealed_phone. Rows that cannot be opened are named, and the rest goes on.

The key is read from --key or asked for, and never shown. WHAT COMES OUT HOLDS
READABLE NUMBERS: keep it no longer than you need it.

Examples:
    hien-unseal open --key unseal.key --out numbers.csv leads.csv
    hien-unseal open --write 84 --format csv leads.json > audience.csv
`
	leadkeysHelp = `
It turns the numbers of your own customers into lead keys, so that they can be
joined with what is in the CDP. It reads one number in each line, or CSV with a
column of numbers, in any usual writing; numbers from before 2018 are read as
what they are now. It writes the other columns with lead_key in place of the
number, and previous_lead_key while an old brand key stands in the file. A lead
key is pseudonymised, not anonymous: it stays personal data.

Examples:
    hien-unseal leadkeys --brand-key brand.key numbers.txt
    hien-unseal leadkeys --brand-key brand.key --column so_dien_thoai crm.csv
`
	rotateHelp = `
After hien-unseal keygen --next it lists, for each lead with a sealed number,
the old lead key and the new one, for a CDP that wants to be told all at once.
It reads what hien-unseal open reads. Leads without a sealed number are counted:
they get their new key when they come back and give their number.

Example:
    hien-unseal rotate --key unseal.key --brand-key brand.key leads.csv
`
	accessLogHelp = `
For a shop that must keep an access log, and an authority that may ask for it.
It reads the files that were copied from the router (the folder access in its
data_dir), shows the sessions that were open at the time asked about, and writes
down who asked, why and when in access-requests.jsonl beside the files. Without
--by and --reason it opens nothing. Ask for as little time as the request does.

Example:
    hien-unseal accesslog --key access-log-unseal.key \
        --from "2026-11-22 14:30" --to "2026-11-22 15:00" --addr 203.0.113.7 \
        --by "Công an Quận 1; Nguyễn Mẫu" --reason "CV 12/2026" access
`
)
