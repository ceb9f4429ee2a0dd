// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/qemu/devices/machine.hpp"

#include "runner/caps/capabilities.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace vt::qemu {

namespace {

const Capabilities nothing;

Node device(const std::string& driver, const std::string& qid, Address address = {}) {
    Node node;
    node.driver = driver;
    node.qid = qid;
    node.address = std::move(address);
    return node;
}

Machine pc() {
    return {"pc", "x86_64", false};
}

}  // namespace

TEST_CASE("values: types from texts, as QEMU reads them") {
    CHECK(typed(Value("on"), "bool") == Value(true));
    CHECK(typed(Value("0x10"), "uint32") == Value(16));
    CHECK(typed(Value("-1"), "int32") == Value(-1));
    CHECK(typed(Value("64K"), "size") == Value(65536));
    CHECK(typed(Value("18446744073709551615"), "uint64") == Value(std::uint64_t{18446744073709551615ULL}));
    CHECK(typed(Value("12345"), "str") == Value("12345"));
    CHECK(typed(Value(12345), "str") == Value("12345"));
    CHECK(typed(Value("0,2"), "[int]") == Value(Value::List{0, 2}));
    CHECK(!typed(Value("many"), "uint32"));
    CHECK(!typed(Value("64Q"), "size"));
    CHECK(!typed(Value("64K"), "uint32"));
    CHECK(!typed(Value("16E"), "size"));
    CHECK(!typed(Value("maybe"), "bool"));
    CHECK(Value::from_json(nlohmann::json::parse(R"({"a":[1,true,"x"],"b":{"c":-3}})")).json().dump() ==
          R"({"a":[1,true,"x"],"b":{"c":-3}})");
    const auto pairs = parse_option_text(",a=b,,c,d,e=f=g");
    REQUIRE(pairs.size() == 3);
    CHECK(pairs[0] == std::pair<std::string, Value>("a", "b,c"));
    CHECK(pairs[1] == std::pair<std::string, Value>("d", "on"));
    CHECK(pairs[2] == std::pair<std::string, Value>("e", "f=g"));
}

TEST_CASE("addresses are handed out, kept and given back") {
    auto machine = pc();
    const auto first = machine.insert(device("virtio-blk-pci", "a"), nothing);
    const auto second = machine.insert(device("e1000", "b"), nothing);
    CHECK(first->address.at == std::vector<int>{2, 0});
    CHECK(first->address.bus == "pci.0");
    CHECK(second->address.at == std::vector<int>{3, 0});
    machine.remove(first);
    CHECK(machine.find("a") == nullptr);
    CHECK(machine.insert(device("rtl8139", "c"), nothing)->address.at == std::vector<int>{2, 0});
    CHECK_THROWS_WITH_AS(machine.insert(device("e1000", "b"), nothing), doctest::Contains("b already"),
                         ModelError);
}

TEST_CASE("an explicit address wins, and a clash names both") {
    auto machine = pc();
    machine.insert(device("e1000", "a", {BusKind::pci, "", {2, 0}}), nothing);
    CHECK(machine.insert(device("e1000", "b"), nothing)->address.at == std::vector<int>{3, 0});
    CHECK_THROWS_WITH_AS(machine.insert(device("e1000", "c", {BusKind::pci, "", {2, 0}}), nothing),
                         doctest::Contains("c wants slot 2, function 0 of the PCI bus pci.0, where a is"),
                         AddressError);
    CHECK_THROWS_WITH_AS(machine.insert(device("e1000", "c", {BusKind::pci, "", {0, 0}}), nothing),
                         doctest::Contains("the host bridge"), AddressError);
    CHECK_THROWS_WITH_AS(machine.insert(device("e1000", "c", {BusKind::pci, "pci.9", {}}), nothing),
                         doctest::Contains("it has pci.0"), AddressError);
    CHECK_THROWS_WITH_AS(machine.insert(device("e1000", "c", {BusKind::pci, "", {99, 0}}), nothing),
                         doctest::Contains("which has none"), AddressError);
    CHECK_THROWS_WITH_AS(machine.insert(device("scsi-hd", "d"), nothing, Machine::Moment::hot),
                         doctest::Contains("give it a controller"), AddressError);
    CHECK(machine.find("c") == nullptr);
}

TEST_CASE("a full bus says so") {
    auto machine = pc();
    for (int i = 2; i < 32; ++i) {
        machine.insert(device("e1000", "n" + std::to_string(i)), nothing);
    }
    CHECK_THROWS_WITH_AS(machine.insert(device("e1000", "more"), nothing),
                         doctest::Contains("has no room for more"), AddressError);
}

TEST_CASE("on a q35 virtio devices sit behind root ports of their own, others on the root bus") {
    Machine machine("q35", "x86_64", false);
    const auto disk = machine.insert(device("virtio-blk-pci", "d"), nothing);
    CHECK(disk->address.bus == "pcie-root-port-0");
    CHECK(disk->address.at == std::vector<int>{0, 0});
    const auto port = machine.find("pcie-root-port-0");
    REQUIRE(port);
    CHECK(port->address.bus == "pcie.0");
    CHECK(machine.insert(device("e1000", "n"), nothing)->address.bus == "pcie.0");
    // The next root port shares the first one's slot.
    const auto other = machine.insert(device("virtio-net-pci", "m"), nothing);
    const auto second = machine.find(other->address.bus);
    CHECK(second->address.at == std::vector<int>{port->address.at[0], 1});
    CHECK(second->props.text("chassis") == "2");
    CHECK_THROWS_WITH_AS(machine.insert(device("virtio-rng-pci", "r"), nothing, Machine::Moment::hot),
                         doctest::Contains("pcie_extra_root_port"), AddressError);
    machine.add_root_port("spare", nothing);
    CHECK(machine.insert(device("virtio-rng-pci", "r"), nothing, Machine::Moment::hot)->address.bus ==
          "spare");
    // What sat there leaves its port free for the next.
    machine.remove(disk);
    CHECK(machine.insert(device("virtio-rng-pci", "s"), nothing, Machine::Moment::hot)->address.bus ==
          "pcie-root-port-0");
}

TEST_CASE("SCSI disks get ids, then units") {
    auto machine = pc();
    machine.insert(device("lsi53c895a", "hba"), nothing);
    for (int i = 0; i < 7; ++i) {
        CHECK(machine.insert(device("scsi-hd", "d" + std::to_string(i)), nothing)->address.at ==
              std::vector<int>{0, i, 0});
    }
    CHECK_THROWS_AS(machine.insert(device("scsi-hd", "d7"), nothing), AddressError);
    machine.insert(device("virtio-scsi-pci", "v"), nothing);
    const Address wish{BusKind::scsi, "v.0", {-1, 3, -1}};
    CHECK(machine.insert(device("scsi-hd", "e1", wish), nothing)->address.at == std::vector<int>{0, 3, 0});
    CHECK(machine.insert(device("scsi-hd", "e2", wish), nothing)->address.at == std::vector<int>{0, 3, 1});
}

TEST_CASE("the last USB port gets a hub, whose ports are named by the way") {
    auto machine = pc();
    machine.insert(device("piix3-usb-uhci", "usb1"), nothing);
    machine.insert(device("usb-tablet", "a"), nothing);
    const auto kbd = machine.insert(device("usb-kbd", "b"), nothing);
    const auto hub = machine.find("usb-hub-0");
    REQUIRE(hub);
    CHECK(hub->address.at == std::vector<int>{2});
    const Bus* bus = machine.bus(kbd->address.bus);
    REQUIRE(bus);
    CHECK(bus->qemu_name() == "usb1.0");
    CHECK(bus->prefix() == "2.");
    CHECK(machine.remove(machine.find("usb1")).size() == 4);
    CHECK(machine.nodes().empty());
}

TEST_CASE("order: back ends and controllers first; what is needed stays") {
    auto machine = pc();
    Node netdev;
    netdev.form = Form::netdev;
    netdev.driver = "user";
    netdev.qid = "net0";
    Node card = device("e1000", "nic");
    card.needs = {"net0"};
    CHECK_THROWS_WITH_AS(machine.insert(card, nothing), doctest::Contains("needs net0"), ModelError);
    machine.insert(netdev, nothing);
    const auto nic = machine.insert(card, nothing);
    CHECK_THROWS_WITH_AS(machine.remove(machine.find("net0")),
                         doctest::Contains("still needed by device nic"), ModelError);
    REQUIRE(machine.own_back_ends(*nic).size() == 1);
    CHECK(machine.order().front()->qid == "net0");
    CHECK(machine.get_by_params({{"driver", "e1000"}}) == std::vector<NodePtr>{nic});
    CHECK(machine.get_by_qid("nic").size() == 1);
}

TEST_CASE("a machine is stored and read again; differences are named") {
    Machine machine("q35", "x86_64", false);
    machine.insert(device("virtio-blk-pci", "d"), nothing);
    machine.insert(device("piix3-usb-uhci", "u"), nothing);
    Node tablet = device("usb-tablet", "t");
    tablet.props = {{"serial", "7"}, {"attached", true}, {"head", 1}};
    tablet.extra = "display=x";
    machine.insert(tablet, nothing);
    const auto json = nlohmann::json::parse(machine.to_json().dump());
    const auto again = Machine::from_json(json, nothing);
    CHECK(!machine.difference(again));
    CHECK(again.find("t")->props == machine.find("t")->props);
    CHECK(again.bus("u.0")->taken() == machine.bus("u.0")->taken());
    auto other = Machine::from_json(json, nothing);
    other.find("t")->props.set("head", 2);
    CHECK(machine.difference(other) == "head of t is \"1\" and would be \"2\"");
    other.remove(other.find("t"));
    CHECK(machine.difference(other) == "t would not be there");
    CHECK(other.difference(machine) == "t would be there, too");
    auto later = json;
    later["version"] = 2;
    CHECK_THROWS_WITH_AS(Machine::from_json(later, nothing), doctest::Contains("version 2, not 1"), Error);
}

}  // namespace vt::qemu
